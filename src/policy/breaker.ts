import type { Clock } from '../kernel/clock.ts';
import { PolicyFault, type PolicyFaultKind } from './decision-point.ts';

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface BreakerOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Faults in a row that open it. */
  readonly threshold?: number;
  /** The first pause, doubled with each failed probe up to `maxMs`; each is cut by up to half, at random. */
  readonly baseMs?: number;
  readonly maxMs?: number;
}

export interface BreakerStatus {
  readonly state: BreakerState;
  /** Faults in a row. */
  readonly faults: number;
  readonly openedBy: PolicyFaultKind | null;
  /** Milliseconds until the next call may try; 0 where one may now. */
  readonly retryInMs: number;
}

/** Keeps calls from a decision point that is down: they fail at once, and one at a time tries whether it is back. */
export class Breaker {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #random: () => number;
  readonly #threshold: number;
  readonly #baseMs: number;
  readonly #maxMs: number;
  #faults = 0;
  #open: Open | null = null;

  constructor({ clock, random, threshold = 5, baseMs = 500, maxMs = 30_000 }: BreakerOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#threshold = threshold;
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
  }

  /** @throws PolicyFault breaker_open without calling; what `call` throws */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const begun = this.#open;
    if (begun !== null) {
      if (begun.probing || this.#clock.monotonic() < begun.probeAt) {
        throw new PolicyFault('breaker_open', 'the decision point did not answer lately', { openedBy: begun.by });
      }
      begun.probing = true;
    }
    try {
      const result = await call();
      this.#settle(begun, 'up');
      return result;
    } catch (error) {
      this.#settle(begun, verdictOf(error));
      throw error;
    }
  }

  /** Something else saw the decision point answer: the next call need not wait out the pause. */
  probeNow(): void {
    if (this.#open !== null) this.#open.probeAt = this.#clock.monotonic();
  }

  status(): BreakerStatus {
    const open = this.#open;
    if (open === null) return { state: 'closed', faults: this.#faults, openedBy: null, retryInMs: 0 };
    const retryInMs = Math.max(0, open.probeAt - this.#clock.monotonic());
    const state = open.probing || retryInMs === 0 ? 'half_open' : 'open';
    return { state, faults: this.#faults, openedBy: open.by, retryInMs };
  }

  /** A call counts only in the state in which it began: stragglers neither open nor close anything. */
  #settle(begun: Open | null, verdict: Verdict): void {
    if (begun !== this.#open) return;
    if (verdict === 'unknown') {
      if (begun !== null) begun.probing = false;
      return;
    }
    if (verdict === 'up') {
      this.#open = null;
      this.#faults = 0;
      return;
    }
    this.#faults += 1;
    if (begun === null && this.#faults < this.#threshold) return;
    const pauses = (begun?.pauses ?? 0) + 1;
    const pause = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(pauses - 1, 30));
    const probeAt = this.#clock.monotonic() + pause * (0.5 + this.#random() / 2);
    this.#open = { by: verdict.down, pauses, probeAt, probing: false };
  }
}

interface Open {
  readonly by: PolicyFaultKind;
  readonly pauses: number;
  probeAt: number;
  probing: boolean;
}

type Verdict = 'up' | 'unknown' | { readonly down: PolicyFaultKind };

/**
 * An answer that is refused is an answer: it is up. A 4xx may be the fault of one question, and must not shut out
 * everybody else's. Our own full queue, a cancelled call and an untrusted peer say nothing.
 */
function verdictOf(error: unknown): Verdict {
  if (!(error instanceof PolicyFault)) return 'unknown';
  switch (error.kind) {
    case 'unreachable':
    case 'timeout':
      return { down: error.kind };
    case 'http_status':
      return error.status === null || error.status >= 500 || BUSY.has(error.status) ? { down: error.kind } : 'up';
    case 'answer':
      return 'up';
    case 'overloaded':
    case 'breaker_open':
    case 'untrusted':
      return 'unknown';
  }
}

/** Request timeout, too many requests: about the decision point, not about the question. */
const BUSY = new Set([408, 429]);
