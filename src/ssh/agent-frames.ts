import { MAX_FRAME } from './agent-numbers.ts';
import { WireError } from './wire.ts';

/**
 * Cuts what a peer sends into messages of the agent protocol: four bytes of length, then so many bytes. Chunks are
 * joined once for each message, so that a peer which drips single bytes costs no copy for each of them.
 */
export class AgentFrames {
  #chunks: Buffer[] = [];
  #held = 0;
  #needed = 4;

  /** Has a message begun that is not whole? */
  get partial(): boolean {
    return this.#held > 0;
  }

  /** Bytes that wait. */
  get held(): number {
    return this.#held;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
  }

  /** The next whole message, a copy; null where more is to come. @throws WireError after which nothing that follows means anything */
  next(): Buffer | null {
    if (this.#held < this.#needed) return null;
    let joined = this.#join();
    if (this.#needed === 4) {
      const length = joined.readUInt32BE(0);
      if (length === 0 || length > MAX_FRAME) {
        throw new WireError(`a message of ${length} bytes is announced, and 1 to ${MAX_FRAME} are possible`);
      }
      this.#needed = 4 + length;
      if (this.#held < this.#needed) return null;
      joined = this.#join();
    }
    const message = Buffer.from(joined.subarray(4, this.#needed));
    const rest = joined.subarray(this.#needed);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#held = rest.length;
    this.#needed = 4;
    return message;
  }

  #join(): Buffer {
    const [only] = this.#chunks;
    const joined = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.#held);
    this.#chunks = [joined];
    return joined;
  }
}
