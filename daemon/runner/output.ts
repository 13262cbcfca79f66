import { readSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { MOST_HELD_BYTES } from '../../src/access/command-runner.ts';

/** Each chunk costs the same some tens of microseconds, however large; twice as much is hardly faster and held twice. */
const CHUNK_BYTES = MOST_HELD_BYTES;
/** A command that has just filled so much writes on: what little is there next is left to grow for a moment. */
const FLOOD_BYTES = 64 * 1024;
/** More than a terminal holds. */
const MOST_WAITING_BYTES = 128 * 1024;
const FLOOD_MS = 5;
const REST_MS = 1;

/**
 * What a command writes, read from our end of its pipe or terminal, no faster than somebody takes it. Owns the
 * descriptor. Never fails: an error of the descriptor is its end (a terminal ends with EIO).
 */
export class Output extends Readable {
  readonly #fd: number;
  readonly #socket: Socket;
  #buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** When a command that floods does so no longer. Milliseconds. */
  #floodsUntil = Number.NEGATIVE_INFINITY;
  #resting = false;
  #wanted = false;
  #settling = false;
  #over = false;
  #bytes = 0;

  constructor(fd: number, kind: 'pipe' | 'terminal') {
    // Nothing more is read while anything waits to be taken: of one stream no more is held than one read.
    super({ highWaterMark: 1 });
    this.#fd = fd;
    // Every read is handed over at once: what a socket has buffered is lost when it meets an error.
    const onread = {
      buffer: () => this.#buffer,
      callback: (length: number): boolean => this.#take(length),
    };
    this.#socket =
      kind === 'pipe'
        ? new Socket({ fd, readable: true, writable: false, onread } as SocketConstructorOpts)
        : new ReadStream(fd, { onread, writable: true } as SocketConstructorOpts);
    this.#socket.on('error', () => this.#end());
    this.#socket.on('end', () => this.#end());
    this.#socket.on('close', () => this.#end());
  }

  /** Of a terminal: what is typed goes the same way. */
  get socket(): Socket {
    return this.#socket;
  }

  /** The command has ended: what it wrote until now is all that there will be, whoever else holds the other end. */
  settle(): void {
    if (this.#settling || this.#over) return;
    this.#settling = true;
    this.#socket.pause();
    this.#pull();
  }

  /**
   * How many bytes it gives in all for what was written until now: that is read first, whoever is slow to take it. But
   * for a command that stops again and again, of which nobody takes anything: no more is held than once.
   */
  writtenUntilNow(): number {
    const buffer = Buffer.allocUnsafe(MOST_WAITING_BYTES);
    const held = this.readableLength;
    for (let room = Math.min(buffer.length, CHUNK_BYTES + MOST_WAITING_BYTES - held); room > 0 && !this.#over; ) {
      const length = this.#readNow(buffer.subarray(0, room));
      if (length === 0) break;
      room -= length;
      this.#bytes += length;
      this.push(Buffer.from(buffer.subarray(0, length)));
    }
    return this.#bytes;
  }

  override _read(): void {
    if (this.#over) return;
    if (this.#settling) this.#pull();
    else {
      this.#wanted = true;
      if (!this.#resting) this.#socket.resume();
    }
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#over = true;
    this.#socket.destroy();
    callback(error);
  }

  #take(length: number): boolean {
    this.#wanted = false;
    if (this.#growsSoon(length)) this.#rest();
    const more = this.push(this.#taken(length));
    this.#wanted ||= more;
    return more && !this.#resting && !this.#settling;
  }

  /** A chunk that fills most of the buffer takes it along; a small one must not hold on to so much. */
  #taken(length: number): Buffer {
    this.#bytes += length;
    const read = this.#buffer.subarray(0, length);
    if (length < CHUNK_BYTES / 2) return Buffer.from(read);
    this.#buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    return read;
  }

  #growsSoon(length: number): boolean {
    const now = performance.now();
    if (length < FLOOD_BYTES) return now < this.#floodsUntil;
    this.#floodsUntil = now + FLOOD_MS;
    return false;
  }

  #rest(): void {
    this.#resting = true;
    setTimeout(() => {
      this.#resting = false;
      if (this.#wanted && !this.#over && !this.#settling) this.#socket.resume();
    }, REST_MS);
  }

  /** The descriptor does not wait: EAGAIN says that nothing is left. */
  #pull(): void {
    let more = true;
    while (more && !this.#over) {
      const length = this.#readNow(this.#buffer);
      if (length === 0) this.#end();
      else more = this.push(this.#taken(length));
    }
  }

  #readNow(buffer: Buffer): number {
    try {
      return readSync(this.#fd, buffer, 0, buffer.length, null);
    } catch {
      return 0;
    }
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.push(null);
    this.#socket.destroy();
  }
}
