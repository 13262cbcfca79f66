import { type Clock, systemClock } from '../kernel/clock.ts';
import { systemTimers, type Timers } from '../kernel/timers.ts';
import type { TokenGrant } from './answer.ts';
import type { OpenBaoClient } from './client.ts';
import { isPassing, OpenBaoFault } from './fault.ts';
import type { Login } from './login.ts';
import { backoff, refreshDelay, worthRenewing } from './renewal.ts';
import type { HeldToken, TokenSource, TokenStatus } from './token-source.ts';

export interface TokensOptions {
  readonly login: Login;
  readonly client: OpenBaoClient;
  readonly clock?: Pick<Clock, 'monotonic'>;
  readonly timers?: Timers;
  readonly random?: () => number;
  /** Each change of state, for the log. */
  readonly onChange?: (status: TokenStatus) => void;
}

interface Held extends HeldToken {
  readonly since: number;
  readonly ttlAtLogin: number;
  expiresAt: number;
  renewable: boolean;
}

/** A token that is not taken this soon after its login was never good: another login would not help. */
const TOO_SOON_MS = 10_000;
/** No call that carries a token lasts as long: what was replaced is overwritten then. */
const REPLACED_MS = 60_000;
/** How long the daemon's end may wait for a token to be given back. */
const REVOKE_MS = 2_000;

/**
 * Logs in, renews at a jittered fraction of the TTL, and logs in anew where that no longer helps. What passes is
 * tried again with growing pauses; what OpenBao refuses is not, so that no mistake in a file becomes a storm.
 */
export class Tokens implements TokenSource {
  readonly #login: Login;
  readonly #client: OpenBaoClient;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #timers: Timers;
  readonly #random: () => number;
  readonly #onChange: (status: TokenStatus) => void;
  readonly #ended = new AbortController();
  #held: Held | null = null;
  #attempt: Promise<void> | null = null;
  #cancelTimer: (() => void) | null = null;
  #fault: OpenBaoFault | null = null;
  /** What the refused login stood on; null where none was refused. */
  #refused: readonly object[] | null = null;
  #failures = 0;
  #rejections = 0;
  #logins = 0;
  #renewals = 0;
  #shown = '';

  constructor(options: TokensOptions) {
    this.#login = options.login;
    this.#client = options.client;
    this.#clock = options.clock ?? systemClock;
    this.#timers = options.timers ?? systemTimers;
    this.#random = options.random ?? Math.random;
    this.#onChange = options.onChange ?? (() => {});
    void this.#logIn();
  }

  async current(): Promise<HeldToken> {
    const held = this.#good();
    if (held !== null) return held;
    const underWay = this.#attempt;
    if (underWay !== null) await underWay;
    // An attempt that was under way may have begun before a file was mended; what did not pass is pausing by now.
    if (this.#good() === null) {
      const again =
        this.#refused !== null ? await this.#materialsChanged() : underWay === null && this.#cancelTimer === null;
      if (again) await this.#logIn();
    }
    const now = this.#good();
    if (now !== null) return now;
    const fault = this.#fault;
    if (fault !== null && this.#refused !== null) {
      // To whoever makes a call it is all one why there is no token; what was refused was not the call.
      const { said, status } = fault;
      const details = { cause: fault, said, ...(status === null ? {} : { status }) };
      throw new OpenBaoFault('token_invalid', 'OpenBao refuses the login of the daemon', details);
    }
    throw fault ?? new OpenBaoFault('overloaded', 'the daemon holds no token of OpenBao');
  }

  rejected(token: HeldToken): void {
    const held = this.#held;
    if (held === null || held.secret !== token.secret || this.#closed) return;
    this.#replace(null);
    this.#cancel();
    this.#fault = new OpenBaoFault('token_invalid', 'OpenBao does not take the token that it gave', { status: 403 });
    if (this.#clock.monotonic() - held.since >= TOO_SOON_MS) {
      this.#rejections = 0;
      void this.#logIn();
      return;
    }
    this.#rejections += 1;
    this.#after(backoff(this.#rejections, this.#random()), () => void this.#logIn());
    this.#tell();
  }

  retry(): void {
    // Whatever went wrong last, the pause after it included: OpenBao may have asked for one of an hour.
    if (this.#fault !== null && !this.#closed) this.#refresh();
  }

  status(): TokenStatus {
    const held = this.#good();
    return {
      state: this.#state(held),
      method: this.#login.method,
      accessor: held?.accessor ?? '',
      expiresInMs: held === null || held.expiresAt === Infinity ? null : held.expiresAt - this.#clock.monotonic(),
      logins: this.#logins,
      renewals: this.#renewals,
      fault: this.#fault === null ? '' : describe(this.#fault),
    };
  }

  /** Resolves when no attempt is under way. */
  async settled(): Promise<void> {
    while (this.#attempt !== null) await this.#attempt;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#ended.abort(new OpenBaoFault('overloaded', 'the token source is closed'));
    this.#cancel();
    await this.settled();
    const held = this.#good();
    if (held === null) this.#replace(null);
    this.#held = null;
    if (held === null || !this.#login.ownsToken) return;
    const signal = AbortSignal.timeout(REVOKE_MS);
    const revoke = { method: 'POST', path: 'auth/token/revoke-self', token: held.secret, body: {}, signal } as const;
    // It lapses by itself where this fails.
    await this.#client.call(revoke).catch(() => undefined);
    held.secret.dispose();
  }

  get #closed(): boolean {
    return this.#ended.signal.aborted;
  }

  #good(): Held | null {
    return this.#held !== null && this.#clock.monotonic() < this.#held.expiresAt ? this.#held : null;
  }

  #state(held: Held | null): TokenStatus['state'] {
    if (this.#closed) return 'closed';
    if (this.#refused !== null) return 'refused';
    if (held !== null) return 'ok';
    return this.#fault === null ? 'starting' : 'retrying';
  }

  /** One attempt at a time, whoever wants it. It never rejects: what came of it is in the fields. */
  #logIn(): Promise<void> {
    return this.#once(() => this.#tryLogin());
  }

  async #tryLogin(): Promise<void> {
    let materials: readonly object[] = [];
    try {
      materials = await this.#login.materials();
      this.#hold(await this.#login.logIn(this.#ended.signal));
    } catch (error) {
      this.#failed(error, materials);
    }
  }

  #renew(held: Held): Promise<void> {
    return this.#once(async () => {
      try {
        const { secret: token } = held;
        const path = 'auth/token/renew-self';
        const signal = this.#ended.signal;
        const { grant } = await this.#client.call({ method: 'POST', path, token, body: {}, signal });
        if (grant === null) throw new OpenBaoFault('answer', 'the renewal was answered without a token');
        this.#renewals += 1;
        this.#succeeded();
        this.#extend(held, grant);
        // The maximum is met, and what is left of it may be less than a second.
        if (!held.renewable) await this.#tryLogin();
      } catch (error) {
        const fault = faultOf(error);
        if (isPassing(fault)) return this.#failed(fault, []);
        // The token is gone, or is not to be renewed: the login decides.
        if (fault.kind === 'token_invalid') this.#replace(null);
        held.renewable = false;
        await this.#tryLogin();
      }
    });
  }

  #once(work: () => Promise<void>): Promise<void> {
    if (this.#attempt !== null) return this.#attempt;
    if (this.#closed) return Promise.resolve();
    this.#cancel();
    this.#attempt = work().finally(() => {
      this.#attempt = null;
      this.#tell();
    });
    return this.#attempt;
  }

  #hold({ token, accessor, ttlSeconds, renewable }: TokenGrant): void {
    const now = this.#clock.monotonic();
    const ttlMs = ttlSeconds * 1000;
    this.#logins += 1;
    this.#succeeded();
    this.#replace({
      secret: token,
      accessor,
      since: now,
      ttlAtLogin: ttlMs,
      expiresAt: ttlMs === 0 ? Infinity : now + ttlMs,
      renewable: renewable && this.#login.ownsToken,
    });
    if (ttlMs > 0) this.#after(refreshDelay(ttlMs, this.#random()), () => this.#refresh());
  }

  /** The former token is zeroed once no call can carry it any more; a file's is the file's. */
  #replace(next: Held | null): void {
    const former = this.#held;
    this.#held = next;
    if (former !== null && this.#login.ownsToken) this.#timers.after(REPLACED_MS, () => former.secret.dispose());
  }

  #extend(held: Held, { ttlSeconds }: TokenGrant): void {
    const ttlMs = ttlSeconds * 1000;
    held.expiresAt = this.#clock.monotonic() + ttlMs;
    held.renewable = worthRenewing(ttlMs, held.ttlAtLogin);
    this.#after(refreshDelay(ttlMs, this.#random()), () => this.#refresh());
  }

  #refresh(): void {
    const held = this.#good();
    void (held?.renewable === true ? this.#renew(held) : this.#logIn());
  }

  #succeeded(): void {
    this.#fault = null;
    this.#refused = null;
    this.#failures = 0;
  }

  #failed(error: unknown, materials: readonly object[]): void {
    if (this.#closed) return;
    const fault = faultOf(error);
    this.#fault = fault;
    if (!isPassing(fault)) {
      this.#refused = materials;
      return;
    }
    this.#refused = null;
    this.#failures += 1;
    const pause = Math.max(backoff(this.#failures, this.#random()), fault.retryAfterMs ?? 0);
    this.#after(pause, () => this.#refresh());
  }

  async #materialsChanged(): Promise<boolean> {
    const before = this.#refused;
    // A file that cannot be read now changes nothing: no login could come of it.
    const now = await this.#login.materials().catch(() => null);
    if (before === null || now === null) return false;
    return now.length !== before.length || now.some((one, index) => one !== before[index]);
  }

  #after(ms: number, run: () => void): void {
    this.#cancel();
    if (this.#closed) return;
    this.#cancelTimer = this.#timers.after(ms, () => {
      this.#cancelTimer = null;
      run();
    });
  }

  #cancel(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  #tell(): void {
    const status = this.status();
    const line = `${status.state} ${status.accessor} ${status.fault}`;
    if (line === this.#shown) return;
    this.#shown = line;
    this.#onChange(status);
  }
}

function faultOf(error: unknown): OpenBaoFault {
  if (error instanceof OpenBaoFault) return error;
  return new OpenBaoFault('answer', 'the login failed', { cause: error });
}

function describe({ message, said }: OpenBaoFault): string {
  return said === '' ? message : `${message} (${said})`;
}
