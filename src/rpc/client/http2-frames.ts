import { Http2Error } from './http2-error.ts';

/** Frame types of HTTP/2 (RFC 9113, section 6) that matter to one call. */
export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export interface Http2Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 9;
/** What a peer may send and take as long as nobody says otherwise; we do not. */
export const MAX_FRAME_BYTES = 16_384;

export function writeFrame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const out = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  out.writeUIntBE(payload.length, 0, 3);
  out[3] = type;
  out[4] = flags;
  out.writeUInt32BE(stream, 5);
  payload.copy(out, HEADER_BYTES);
  return out;
}

/** Cuts a byte stream into frames, and holds one at most. */
export class Http2Frames {
  #held: Buffer = Buffer.alloc(0);

  /** @throws Http2Error for a frame that is larger than was allowed */
  *push(chunk: Buffer): Generator<Http2Frame, void> {
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (this.#held.length >= HEADER_BYTES) {
      const length = this.#held.readUIntBE(0, 3);
      if (length > MAX_FRAME_BYTES) throw new Http2Error('a frame that is too large');
      const end = HEADER_BYTES + length;
      if (this.#held.length < end) return;
      const frame = this.#held.subarray(0, end);
      this.#held = this.#held.subarray(end);
      yield {
        type: frame[3] ?? 0,
        flags: frame[4] ?? 0,
        stream: frame.readUInt32BE(5) & 0x7fff_ffff,
        payload: frame.subarray(HEADER_BYTES),
      };
    }
  }
}

/** The payload without padding and, of a header frame, priority. @throws Http2Error where it is shorter than they are */
export function contentOf({ type, flags, payload }: Http2Frame): Buffer {
  const padded = (flags & FLAG.padded) !== 0;
  const before = (padded ? 1 : 0) + (type === FRAME.headers && (flags & FLAG.priority) !== 0 ? 5 : 0);
  const after = padded ? (payload[0] ?? 0) : 0;
  if (before + after > payload.length) throw new Http2Error('a frame that is shorter than its padding');
  return payload.subarray(before, payload.length - after);
}
