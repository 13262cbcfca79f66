/** gRPC's length-prefixed messages: one flag byte, four length bytes (big-endian), the message. */

const HEADER_BYTES = 5;

export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** One message with its header. */
export function frame(message: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(HEADER_BYTES + message.length);
  out[0] = 0;
  out.writeUInt32BE(message.length, 1);
  out.set(message, HEADER_BYTES);
  return out;
}

/**
 * Cuts a byte stream into messages. It holds at most one message and refuses a bigger one from its header
 * alone, before any of it is kept.
 */
export class FrameReader {
  readonly #maxBytes: number;
  #held: Buffer[] = [];
  #heldBytes = 0;

  constructor(maxMessageBytes: number) {
    this.#maxBytes = maxMessageBytes;
  }

  /** The messages that `chunk` completes. @throws FramingError for a compressed or an oversized message. */
  push(chunk: Buffer): Buffer[] {
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    const messages: Buffer[] = [];
    while (this.#heldBytes >= HEADER_BYTES) {
      const length = this.#peekLength();
      if (this.#heldBytes < HEADER_BYTES + length) break;
      const bytes = this.#take(HEADER_BYTES + length);
      messages.push(bytes.subarray(HEADER_BYTES));
    }
    return messages;
  }

  /** True where the stream ended inside a message. */
  get incomplete(): boolean {
    return this.#heldBytes > 0;
  }

  #peekLength(): number {
    const first = this.#held[0];
    if (first === undefined || first.length < HEADER_BYTES) this.#held = [Buffer.concat(this.#held)];
    const header = this.#held[0] as Buffer;
    if (header[0] !== 0) throw new FramingError('a compressed message, which nobody asked for');
    const length = header.readUInt32BE(1);
    if (length > this.#maxBytes) {
      throw new FramingError(`a message of ${length} bytes, more than the ${this.#maxBytes} allowed`);
    }
    return length;
  }

  #take(bytes: number): Buffer {
    const all = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    this.#heldBytes = all.length - bytes;
    this.#held = this.#heldBytes === 0 ? [] : [all.subarray(bytes)];
    return all.subarray(0, bytes);
  }
}
