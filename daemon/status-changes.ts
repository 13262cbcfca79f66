/** Wakes those who watch the status: at once for the first change, then at most once in a while. */
export class StatusChanges {
  readonly #listeners = new Set<() => void>();
  readonly #everyMs: number;
  #timer: NodeJS.Timeout | null = null;
  #pending = false;

  constructor(everyMs = 1_000) {
    this.#everyMs = everyMs;
  }

  on(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  readonly changed = (): void => {
    if (this.#listeners.size === 0) return;
    if (this.#timer !== null) {
      this.#pending = true;
      return;
    }
    for (const listener of this.#listeners) listener();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#pending) return;
      this.#pending = false;
      this.changed();
    }, this.#everyMs);
    this.#timer.unref();
  };
}
