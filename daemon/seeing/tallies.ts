import type { ReasonCode } from '../../src/kernel/reason.ts';

/** What ended how: one addition a request. Methods and reasons are closed lists, so it stays small. */
export class Tallies {
  readonly #methods = new Map<string, Map<ReasonCode | '', number>>();

  /** By method, then by reason; "" is success. */
  get methods(): ReadonlyMap<string, ReadonlyMap<ReasonCode | '', number>> {
    return this.#methods;
  }

  count(method: string, reason: ReasonCode | ''): void {
    let ends = this.#methods.get(method);
    if (ends === undefined) {
      ends = new Map();
      this.#methods.set(method, ends);
    }
    ends.set(reason, (ends.get(reason) ?? 0) + 1);
  }
}
