/**
 * The SSH wire encoding (RFC 4251, section 5): big-endian integers and length-prefixed strings. Reading makes
 * views into the input and never allocates by a length that the input names; writing fills one buffer.
 */

/** The bytes are not what the format says. The message names what is wrong, in lower case, with no bytes of the input in it. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

const MAX_UINT32 = 0xffff_ffff;
export const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

// A BOM is kept: it is three bytes of the value like any others, and dropping it would make two encodings of one string.
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads one buffer from front to back. Every method throws WireError and moves on only where it succeeds. */
export class WireReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  uint8(what: string): number {
    return this.#bytes.readUInt8(this.#advance(1, what));
  }

  uint32(what: string): number {
    return this.#bytes.readUInt32BE(this.#advance(4, what));
  }

  uint64(what: string): bigint {
    return this.#bytes.readBigUInt64BE(this.#advance(8, what));
  }

  /** Exactly `length` bytes without a length before them, as a view. */
  raw(length: number, what: string): Buffer {
    const start = this.#advance(length, what);
    return this.#bytes.subarray(start, start + length);
  }

  /** A length-prefixed string as a view of at most `max` bytes. */
  string(what: string, max: number = MAX_UINT32): Buffer {
    const before = this.#offset;
    const length = this.uint32(what);
    if (length > this.remaining || length > max) {
      const available = this.remaining;
      this.#offset = before;
      throw new WireError(
        length > available
          ? `${what} is cut short: ${length} bytes are announced and ${available} are there`
          : `${what} is ${length} bytes long, more than the ${max} allowed`,
      );
    }
    return this.raw(length, what);
  }

  /** A string that must be UTF-8 and hold no NUL byte. */
  utf8(what: string, max?: number): string {
    const before = this.#offset;
    const bytes = this.string(what, max);
    try {
      if (bytes.includes(0)) throw new WireError(`${what} holds a NUL byte`);
      return utf8Decoder.decode(bytes);
    } catch (error) {
      this.#offset = before;
      throw error instanceof WireError ? error : new WireError(`${what} is not UTF-8`);
    }
  }

  /**
   * A non-negative integer in its only canonical form, as a view of its magnitude without leading zero bytes
   * (empty for zero).
   */
  mpint(what: string, max?: number): Buffer {
    const before = this.#offset;
    const bytes = this.string(what, max);
    const first = bytes[0];
    if (first === undefined) return bytes;
    let wrong: string | null = null;
    if ((first & 0x80) !== 0) wrong = `${what} is negative`;
    else if (first === 0 && ((bytes[1] ?? 0) & 0x80) === 0) wrong = `${what} has a needless leading zero`;
    if (wrong === null) return first === 0 ? bytes.subarray(1) : bytes;
    this.#offset = before;
    throw new WireError(wrong);
  }

  /** Nothing may follow. */
  end(what: string): void {
    if (this.remaining > 0) throw new WireError(`${this.remaining} bytes follow ${what}`);
  }

  #advance(length: number, what: string): number {
    const start = this.#offset;
    if (length > this.#bytes.length - start) throw new WireError(`${what} is cut short`);
    this.#offset = start + length;
    return start;
  }
}

/** Writes into one buffer that doubles when it is full. `finish()` hands the bytes over and ends the writer. */
export class WireWriter {
  #bytes: Buffer;
  #length = 0;

  /** `capacity` is a guess in bytes: right ones save a copy. */
  constructor(capacity = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  uint8(value: number): this {
    const start = this.#reserve(1);
    this.#bytes.writeUInt8(value, start);
    return this;
  }

  uint32(value: number): this {
    const start = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, start);
    return this;
  }

  uint64(value: bigint): this {
    if (value < 0n || value > MAX_UINT64) throw new WireError('a number does not fit into 64 bits');
    const start = this.#reserve(8);
    this.#bytes.writeBigUInt64BE(value, start);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const start = this.#reserve(bytes.length);
    this.#bytes.set(bytes, start);
    return this;
  }

  /** A length-prefixed string; text goes as UTF-8. */
  string(value: Uint8Array | string): this {
    if (typeof value !== 'string') return this.uint32(value.length).raw(value);
    const length = Buffer.byteLength(value, 'utf8');
    this.uint32(length);
    const start = this.#reserve(length);
    this.#bytes.write(value, start, length, 'utf8');
    return this;
  }

  /** A non-negative integer from its big-endian magnitude; leading zero bytes are dropped. */
  mpint(magnitude: Uint8Array): this {
    let first = 0;
    while (first < magnitude.length && magnitude[first] === 0) first++;
    const digits = magnitude.subarray(first);
    const padded = ((digits[0] ?? 0) & 0x80) !== 0;
    this.uint32(digits.length + (padded ? 1 : 0));
    if (padded) this.uint8(0);
    return this.raw(digits);
  }

  /** A length-prefixed string whose content `write` puts into this same writer. */
  nested(write: (writer: this) => void): this {
    const start = this.#reserve(4);
    write(this);
    this.#bytes.writeUInt32BE(this.#length - start - 4, start);
    return this;
  }

  /** What was written, not a copy. The writer is empty afterwards. */
  finish(): Buffer {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return bytes;
  }

  #reserve(length: number): number {
    const start = this.#length;
    const end = start + length;
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2, 64));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    this.#length = end;
    return start;
  }
}
