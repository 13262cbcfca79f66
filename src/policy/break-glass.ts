import type { Clock } from '../kernel/clock.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { WardenError } from '../kernel/errors.ts';
import type { PolicySettings } from './settings.ts';

export interface BreakGlassOpening {
  /** Who opened it, for status and log: "uid 1000, /usr/bin/warden". */
  readonly openedBy: string;
  readonly reason: string;
  readonly forMs: number;
  /** `policy.break_glass.max`. */
  readonly maxMs: number;
  /** Would the same caller be let open it under these settings? Asked again after each reload. */
  readonly allowedUnder: (policy: BreakGlassPolicy) => boolean;
}

/** What of the config decides on it. */
export type BreakGlassPolicy = Pick<PolicySettings, 'enabled' | 'breakGlass'>;

export interface BreakGlassState {
  readonly openedBy: string;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly openedAt: number;
  readonly until: number;
  /** Certificates released since it was opened. */
  readonly releases: number;
}

interface Opened extends BreakGlassState {
  readonly untilMonotonic: number;
  readonly forMs: number;
  readonly allowedUnder: BreakGlassOpening['allowedUnder'];
}

const LONGEST_REASON = 512;

/**
 * An open break-glass, in memory alone: a restart closes it. It ends on whichever clock says so first, so that a
 * wall clock put back cannot prolong it and a suspended machine does not find it open. Who may open it is the
 * operation's to decide.
 */
export class BreakGlass {
  readonly #clock: Clock;
  #opened: Opened | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Opens it, or sets a new end and reason; the releases of one opening are counted on. @throws WardenError */
  open(opening: BreakGlassOpening): BreakGlassState {
    checkOpening(opening);
    const { openedBy, reason, forMs, allowedUnder } = opening;
    const now = this.#clock.now();
    const before = this.current();
    this.#opened = {
      openedBy,
      reason,
      openedAt: before?.openedAt ?? now,
      until: now + forMs,
      untilMonotonic: this.#clock.monotonic() + forMs,
      releases: before?.releases ?? 0,
      forMs,
      allowedUnder,
    };
    return this.#opened;
  }

  close(): void {
    this.#opened = null;
  }

  /** After a reload: ends it where it could not be opened like that any more. True where it did. */
  review(policy: BreakGlassPolicy): boolean {
    if (this.current() === null || this.#opened === null) return false;
    const { forMs, allowedUnder } = this.#opened;
    if (policy.enabled && forMs <= policy.breakGlass.maxMs && allowedUnder(policy)) return false;
    this.#opened = null;
    return true;
  }

  /** Null where it is not open. */
  current(): BreakGlassState | null {
    const opened = this.#opened;
    if (opened === null) return null;
    const now = this.#clock.now();
    if (this.#clock.monotonic() >= opened.untilMonotonic || now >= opened.until) {
      this.#opened = null;
      return null;
    }
    return opened;
  }

  /** Counts one release made under it. */
  countRelease(): void {
    if (this.#opened !== null) this.#opened = { ...this.#opened, releases: this.#opened.releases + 1 };
  }
}

/** Whether it may be opened like that; apart, so that it can be known before the opening is recorded. @throws WardenError */
export function checkOpening({ reason, forMs, maxMs }: Pick<BreakGlassOpening, 'reason' | 'forMs' | 'maxMs'>): void {
  if (!Number.isFinite(forMs) || forMs <= 0) {
    throw new WardenError('invalid_request', 'a break-glass needs a positive duration', {
      hint: 'for example --for 30m',
    });
  }
  if (forMs > maxMs) {
    const longest = formatSeconds(Math.floor(maxMs / 1000));
    throw new WardenError('break_glass_forbidden', `a break-glass lasts at most ${longest} here`, {
      hint: '`policy.break_glass.max` in warden.yaml sets the limit',
    });
  }
  // One line in status and log: whatever could break it is refused.
  if (reason.trim() === '' || reason.length > LONGEST_REASON || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(reason)) {
    throw new WardenError(
      'invalid_request',
      `a break-glass needs a reason of one line, at most ${LONGEST_REASON} characters`,
      {
        hint: 'for example --reason "flex-auth is down, incident 4711"',
      },
    );
  }
}
