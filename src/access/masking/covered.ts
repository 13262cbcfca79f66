interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly route: string;
}

export interface Output {
  shown(from: number, to: number): void;
  /** Bytes that must not show; `mark` where they are to be replaced by one, and not by that before them. */
  masked(from: number, to: number, mark: string | null): void;
}

/**
 * The stretches of a stream that values cover. Where values overlap, all that any of them covers is masked: one mark
 * for the first, and one for each further route that reaches beyond it.
 */
export class Covered {
  /** Starts and ends both ascend. */
  readonly #stretches: Stretch[] = [];
  #end = 0;
  #route = '';

  /** `end` is never less than before. */
  add(start: number, end: number, route: string): void {
    const stretches = this.#stretches;
    let last = stretches.at(-1);
    while (last !== undefined && last.start >= start) {
      stretches.pop();
      last = stretches.at(-1);
    }
    if (last !== undefined && last.route === route && start < last.end) {
      stretches[stretches.length - 1] = { start: last.start, end, route };
    } else stretches.push({ start, end, route });
  }

  /** Tells what is to become of the bytes from `from` to before `until`, and how far that went: masks may reach beyond. */
  upTo(until: number, from: number, output: Output): number {
    let at = from;
    let used = 0;
    for (const { start, end, route } of this.#stretches) {
      if (start >= until) break;
      used++;
      if (end <= at) continue;
      if (start > at) {
        output.shown(at, start);
        at = start;
      }
      output.masked(at, end, start >= this.#end || route !== this.#route ? route : null);
      this.#end = Math.max(this.#end, end);
      this.#route = route;
      at = end;
    }
    this.#stretches.splice(0, used);
    if (at < until) output.shown(at, until);
    return Math.max(at, until);
  }
}
