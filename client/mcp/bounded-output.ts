/** Of one stream: its start and its end, in bounded memory. What lies between is counted and left out. */
export class BoundedOutput {
  readonly #headMax: number;
  readonly #tailMax: number;
  #head: Buffer = Buffer.alloc(0);
  /** The newest bytes behind the head: up to twice as many as are shown, cut when it is more. */
  #tail: Buffer[] = [];
  #tailBytes = 0;
  #bytes = 0;

  /** A quarter of `max` bytes for the start, the rest for the end: that is where errors are. */
  constructor(max: number) {
    this.#headMax = Math.floor(max / 4);
    this.#tailMax = max - this.#headMax;
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    const room = this.#headMax - this.#head.length;
    if (room > 0) this.#head = Buffer.concat([this.#head, chunk.subarray(0, room)]);
    const rest = Buffer.from(chunk.subarray(Math.max(0, room)));
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailBytes += rest.length;
    if (this.#tailBytes > 2 * this.#tailMax) this.#cut();
  }

  /** What came in all. */
  get bytes(): number {
    return this.#bytes;
  }

  get truncated(): boolean {
    return this.#bytes > this.#headMax + this.#tailMax;
  }

  /** As text; bytes that are none show as U+FFFD. */
  text(): string {
    this.#cut();
    if (!this.truncated) return Buffer.concat([this.#head, ...this.#tail]).toString('utf8');
    const left = this.#bytes - this.#headMax - this.#tailMax;
    const tail = Buffer.concat(this.#tail).toString('utf8');
    return `${this.#head.toString('utf8')}\n[... ${left} bytes left out ...]\n${tail}`;
  }

  #cut(): void {
    if (this.#tailBytes <= this.#tailMax) return;
    const whole = Buffer.concat(this.#tail);
    this.#tail = [Buffer.from(whole.subarray(whole.length - this.#tailMax))];
    this.#tailBytes = this.#tailMax;
  }
}
