import type { Codec } from './definition.ts';
import { ExecResponse } from './generated/warden/v1/warden.ts';

/** Field 2 or 3, length-delimited. */
const STDOUT_TAG = 0x12;
const STDERR_TAG = 0x1a;
const MOST_PREFIX_BYTES = 6;

/**
 * ExecResponse on the wire, exactly as the generated codec has it. Output, which is nearly all that is sent, is copied
 * once on its way out and not at all on its way in; the generated codec copies it three times and once.
 */
export const execAnswers: Codec<ExecResponse> = {
  encode(answer) {
    const { message } = answer;
    if (message?.$case === 'stdout') return outputOf(STDOUT_TAG, message.value);
    if (message?.$case === 'stderr') return outputOf(STDERR_TAG, message.value);
    return ExecResponse.encode(answer);
  },
  /** What comes back shares the memory of `bytes`. */
  decode(bytes) {
    const [tag] = bytes;
    if (tag === STDOUT_TAG || tag === STDERR_TAG) {
      const [length, at] = lengthAt(bytes, 1);
      // Anything unusual behind it is the generated codec's to read.
      if (at + length === bytes.length) {
        const value = Buffer.from(bytes.buffer, bytes.byteOffset + at, length);
        return { message: { $case: tag === STDOUT_TAG ? 'stdout' : 'stderr', value } };
      }
    }
    return ExecResponse.decode(bytes);
  },
};

function outputOf(tag: number, content: Uint8Array): { finish(): Uint8Array } {
  const out = Buffer.allocUnsafe(MOST_PREFIX_BYTES + content.length);
  out[0] = tag;
  let at = 1;
  let rest = content.length;
  for (; rest > 0x7f; rest >>>= 7) out[at++] = (rest & 0x7f) | 0x80;
  out[at++] = rest;
  out.set(content, at);
  const message = out.subarray(0, at + content.length);
  return { finish: () => message };
}

/** A length of up to 28 bits, and where it ends; what is longer or cut short fits no message. */
function lengthAt(bytes: Uint8Array, from: number): readonly [length: number, at: number] {
  let length = 0;
  for (let at = from; at < from + 4; at++) {
    const byte = bytes[at] ?? 0x80;
    length |= (byte & 0x7f) << (7 * (at - from));
    if (byte < 0x80) return [length, at + 1];
  }
  return [-1, 0];
}
