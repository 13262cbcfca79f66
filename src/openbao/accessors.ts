import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, systemClock } from '../kernel/clock.ts';
import type { Secret } from '../kernel/secret.ts';

/** A token keeps its accessor for life; who makes a token anew under an old name is seen after this long. */
const KEPT_MS = 60_000;
const MOST = 1024;

/**
 * Accessors of callers' tokens that OpenBao told us a short while ago. They are evidence for the ledger and decide
 * nothing: whether a token is good, OpenBao says at each read. The tokens are not kept, only their HMAC under a key
 * that lives and dies with this process.
 */
export class Accessors {
  readonly #key = randomBytes(32);
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #known = new Map<string, { readonly accessor: string; readonly until: number }>();

  constructor(clock: Pick<Clock, 'monotonic'> = systemClock) {
    this.#clock = clock;
  }

  /** What is known, else what `lookUp` says. @throws what it throws, which is not kept */
  async of(token: Secret, lookUp: () => Promise<string>): Promise<string> {
    const tag = createHmac('sha256', this.#key).update(token.reveal()).digest('base64');
    const known = this.#known.get(tag);
    if (known !== undefined && known.until > this.#clock.monotonic()) return known.accessor;
    this.#known.delete(tag);
    const accessor = await lookUp();
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MOST) this.#known.delete(oldest);
    this.#known.set(tag, { accessor, until: this.#clock.monotonic() + KEPT_MS });
    return accessor;
  }
}
