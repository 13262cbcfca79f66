import type { Socket } from 'node:net';
import { Writable } from 'node:stream';

/** ^D: the end of input, as a terminal spells it. */
const END_OF_INPUT = Buffer.from([4]);

/**
 * What a command reads, written no faster than it takes it. Never fails: what a command that has closed its stdin, or
 * has ended, does not want is dropped.
 */
export class Input extends Writable {
  readonly #socket: Socket;
  readonly #terminal: boolean;

  /** With a terminal the socket is the output's too, and not ended here. */
  constructor(socket: Socket, terminal: boolean) {
    super({ highWaterMark: 64 * 1024, decodeStrings: true });
    this.#socket = socket;
    this.#terminal = terminal;
    socket.on('error', () => {});
    // A write that was under way hears nothing of it otherwise.
    socket.on('close', () => this.destroy());
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket.destroyed || !this.#socket.writable) done();
    else this.#socket.write(chunk, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    if (!this.#terminal) this.#socket.end();
    else if (!this.#socket.destroyed) this.#socket.write(END_OF_INPUT);
    done();
  }

  override _destroy(_error: Error | null, done: (error: Error | null) => void): void {
    if (!this.#terminal) this.#socket.destroy();
    done(null);
  }
}
