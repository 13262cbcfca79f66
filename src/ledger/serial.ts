/** Serials that this daemon chose: OpenBao's are random and say nothing about ours. */
export function recordedSerial(record: { readonly serial?: string; readonly backend?: string }): bigint {
  if (record.serial === undefined || record.backend === 'openbao' || !/^\d{1,20}$/.test(record.serial)) return 0n;
  return BigInt(record.serial);
}
