// Later versions may go on behind the flags, with a dash.
const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const LONGEST = 256;
const NO_TRACE = '0'.repeat(32);
export const NO_SPAN = '0'.repeat(16);

/** What a `traceparent` header says; null where it is not one, as https://www.w3.org/TR/trace-context/ has it. */
export function parseTraceparent(text: string): { traceId: string; parentId: string; sampled: boolean } | null {
  if (text.length > LONGEST) return null;
  const [, version = '', traceId = '', parentId = '', flags = '', rest] = TRACEPARENT.exec(text) ?? [];
  if (version === '' || version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (traceId === NO_TRACE || parentId === NO_SPAN) return null;
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
