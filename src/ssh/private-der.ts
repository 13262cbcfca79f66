/**
 * As much DER as PKCS#1 and SEC 1 private keys need: definite lengths, single-byte tags. It reads what OpenSSL
 * wrote a moment ago in this process, never a stranger's bytes.
 */

/** One element: tag, length, content. The parts may hold secrets and stay the caller's to wipe. */
export function der(tag: number, parts: readonly Buffer[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(length)]), ...parts]);
}

/** INTEGER of an unsigned big-endian number. */
export function derInteger(number: Buffer): Buffer {
  const bytes = unsigned(number);
  const first = bytes[0];
  return first === undefined || first >= 0x80 ? der(0x02, [Buffer.of(0), bytes]) : der(0x02, [bytes]);
}

/** Without leading zeros; the same memory. */
export function unsigned(number: Buffer): Buffer {
  let start = 0;
  while (start < number.length && number[start] === 0) start += 1;
  return number.subarray(start);
}

/** The contents of the elements inside one outer SEQUENCE, copied, so that the source can be wiped. */
export function derChildren(encoded: Buffer): Buffer[] {
  const children: Buffer[] = [];
  let at = element(encoded, 0).start;
  while (at < encoded.length) {
    const { start, end } = element(encoded, at);
    children.push(Buffer.from(encoded.subarray(start, end)));
    at = end;
  }
  return children;
}

function element(encoded: Buffer, at: number): { start: number; end: number } {
  const first = encoded.readUInt8(at + 1);
  const extra = first < 0x80 ? 0 : first & 0x7f;
  const length = extra === 0 ? first : encoded.readUIntBE(at + 2, extra);
  const start = at + 2 + extra;
  return { start, end: start + length };
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return [0x82, length >> 8, length & 0xff];
}
