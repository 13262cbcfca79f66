import { connect, type Socket } from 'node:net';

/** One connection that sends what it is told, well-formed or not, and reads frames. */
export class RawClient {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** One message with its length before it. */
  send(message: Uint8Array): void {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(message.length);
    this.raw(Buffer.concat([head, message]));
  }

  raw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** The next answer without its length; null once the other end closed. */
  async answer(): Promise<Buffer | null> {
    for (;;) {
      if (this.#bytes.length >= 4) {
        const end = 4 + this.#bytes.readUInt32BE(0);
        if (this.#bytes.length >= end) {
          const message = this.#bytes.subarray(4, end);
          this.#bytes = this.#bytes.subarray(end);
          return message;
        }
      }
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async ask(message: Uint8Array): Promise<Buffer | null> {
    this.send(message);
    return this.answer();
  }

  /** Reads nothing from now on. */
  pause(): void {
    this.#socket.pause();
  }

  /** The other end is gone. */
  get ended(): boolean {
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Asks each message over one new connection: the answers, null from where the other end closed. */
export async function exchange(path: string, messages: readonly Uint8Array[]): Promise<(Buffer | null)[]> {
  const client = new RawClient(path);
  const answers: (Buffer | null)[] = [];
  for (const message of messages) answers.push(await client.ask(message));
  client.close();
  return answers;
}
