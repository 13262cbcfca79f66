/**
 * Who still uses what a reload has replaced: it is closed behind its last request, not under it. In the order in
 * which they were replaced, since what one state handed on to the next may be in use from both.
 */
export class Tenancy<State extends object> {
  readonly #users = new Map<State, number>();
  readonly #leaving: { readonly state: State; readonly close: () => void }[] = [];

  /** The answer, called once, ends this use. */
  enter(state: State): () => void {
    this.#users.set(state, (this.#users.get(state) ?? 0) + 1);
    return () => {
      const left = (this.#users.get(state) ?? 1) - 1;
      if (left > 0) this.#users.set(state, left);
      else {
        this.#users.delete(state);
        this.#closeUnused();
      }
    };
  }

  /** Nobody enters it any more: `close` is called as soon as nobody uses it or any that was replaced before it. */
  retire(state: State, close: () => void): void {
    this.#leaving.push({ state, close });
    this.#closeUnused();
  }

  #closeUnused(): void {
    for (let next = this.#leaving[0]; next !== undefined && !this.#users.has(next.state); next = this.#leaving[0]) {
      this.#leaving.shift();
      next.close();
    }
  }
}
