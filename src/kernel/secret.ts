import { inspect } from 'node:util';

const REDACTED = '[secret]';

/**
 * Bytes that must not be printed, logged or serialised. Every road by which a value leaves by accident
 * (string conversion, JSON, inspect) answers `[secret]`; the one deliberate road is `reveal()`, and a test
 * lists the files that may call it.
 */
export class Secret {
  readonly #bytes: Buffer;

  /** Takes the buffer over: the caller must not keep or change it. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  static fromString(text: string): Secret {
    return new Secret(Buffer.from(text, 'utf8'));
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** The bytes themselves, not a copy: they turn to zeros at `dispose()`. */
  reveal(): Buffer {
    return this.#bytes;
  }

  /** Overwrites the bytes. Copies that the runtime made (strings above all) are out of reach. */
  dispose(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return REDACTED;
  }

  toJSON(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}
