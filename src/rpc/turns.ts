/**
 * Lets so many requests begin in one turn of the event loop; the rest begin in the turns after it, in order.
 * Requests that arrive in one packet would otherwise be worked off in one go: no answer would leave and no write to
 * the disk be noticed before the last of them is done, so that caller and daemon would work by turns, never at once.
 */
export class Turns {
  readonly #perTurn: number;
  #begun = 0;
  #waiting: (() => void)[] = [];

  constructor(perTurn: number) {
    this.#perTurn = perTurn;
  }

  /** Null where the request may begin now. */
  next(): Promise<void> | null {
    if (this.#begun === 0) setImmediate(this.#turn);
    if (this.#begun < this.#perTurn) {
      this.#begun += 1;
      return null;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly #turn = (): void => {
    const begin = this.#waiting.splice(0, this.#perTurn);
    this.#begun = begin.length;
    if (begin.length > 0) setImmediate(this.#turn);
    for (const resolve of begin) resolve();
  };
}
