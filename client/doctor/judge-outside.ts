import { type Check, finding, note, off, ok, unknown } from './check.ts';

/** One look at an outside system. */
export interface Look {
  /** Milliseconds that it took. */
  readonly ms: number;
  /** Null where it served. */
  readonly fault: { readonly message: string; readonly hint: string } | null;
}

export interface GateFacts {
  readonly enabled: boolean;
  readonly url: string;
  readonly timeoutMs: number;
  readonly posture: string;
  /** Null where it was not looked at: in dev a double stands in. */
  readonly ready: Look | null;
  /** The answer to a question about an actor that does not exist; null where it was not asked. */
  readonly asked: (Look & { readonly effect: 'allow' | 'deny' | null }) | null;
  /** Milliseconds since the epoch; null without TLS. */
  readonly certificateEnds: number | null;
  readonly now: number;
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/** The decision point: reachable, authorised, in time. */
export function judgeGate(facts: GateFacts): Check[] {
  const { enabled, url, timeoutMs, posture, ready, asked, certificateEnds, now } = facts;
  if (!enabled)
    return [
      posture === 'prod'
        ? note(
            'policy',
            'prod without a gate: policy.enabled is false',
            'hand the registry over, then policy.enabled: true',
          )
        : off('policy', 'policy.enabled is false'),
    ];
  if (ready === null) return [off('policy', 'a synthetic decision point answers (dev posture)')];
  if (ready.fault !== null) return [finding('policy', `${url}: ${ready.fault.message}`, ready.fault.hint)];
  const checks: Check[] = [
    ready.ms > timeoutMs / 2
      ? finding(
          'policy',
          `${url} took ${Math.round(ready.ms)} ms, policy.timeout is ${timeoutMs} ms`,
          'bring it nearer, or raise policy.timeout',
        )
      : ok('policy', `${url} is ready, in ${Math.round(ready.ms)} ms`),
  ];
  if (asked !== null) checks.push(judgeAnswer(asked));
  if (certificateEnds !== null) checks.push(judgeCertificate('policy.tls', certificateEnds, now));
  return checks;
}

function judgeAnswer({ ms, fault, effect }: NonNullable<GateFacts['asked']>): Check {
  if (fault !== null) return finding('policy.authorised', fault.message, fault.hint);
  if (effect === 'allow')
    return finding(
      'policy.authorised',
      'it allows an actor that does not exist: it would allow anything',
      'load the policy package; warden smoke policy shows what each question gets',
    );
  return ok('policy.authorised', `it answers our questions, in ${Math.round(ms)} ms`);
}

export function judgeCertificate(id: string, ends: number, now: number): Check {
  const days = Math.floor((ends - now) / DAY_MS);
  const on = new Date(ends).toISOString().slice(0, 10);
  return days < SOON_DAYS
    ? finding(id, `its certificate ends on ${on}, in ${days} days`, 'have its owner renew the certificate')
    : ok(id, `its certificate is good until ${on}`);
}

export interface StoreFacts {
  readonly configured: boolean;
  readonly address: string;
  readonly posture: string;
  readonly tier: string | null;
  /** Null where it was not looked at: in dev a double stands in. */
  readonly health: Look | null;
  /** Files that the login reads, with why one cannot be used. */
  readonly credentials: readonly { readonly path: string; readonly fault: string | null; readonly closed: boolean }[];
  /** Of `token_file`: what OpenBao says of the token; null where it was not asked. */
  readonly token: (Look & { readonly ttlSeconds: number | null }) | null;
  readonly certificateEnds: number | null;
  readonly now: number;
}

const SHORT_TOKEN_S = 300;

/** OpenBao: health, the login, the tier. */
export function judgeStore(facts: StoreFacts): Check[] {
  const { configured, address, posture, tier, health, credentials, token, certificateEnds, now } = facts;
  if (!configured) return [off('openbao', 'no `openbao:` in warden.yaml')];
  if (health === null) return [off('openbao', 'a double stands in (dev posture)')];
  const checks: Check[] = [];
  if (health.fault !== null) checks.push(finding('openbao', `${address}: ${health.fault.message}`, health.fault.hint));
  else checks.push(ok('openbao', `${address} is unsealed and active, in ${Math.round(health.ms)} ms`));
  if (tier === null)
    checks.push(
      finding(
        'openbao.tier',
        'openbao.tier is not said: fetch and exec are refused',
        `where ${address} is the store of this posture, say tier: ${posture} under openbao: in warden.yaml`,
      ),
    );
  else if (tier !== posture)
    checks.push(
      finding(
        'openbao.tier',
        `openbao.tier is ${tier} and the posture ${posture}: fetch and exec are refused`,
        'point openbao.address at the store of this posture',
      ),
    );
  for (const { path, fault, closed } of credentials) {
    if (closed)
      checks.push(
        unknown('openbao.login', `${path}: ${fault ?? ''}`, 'run the doctor as root or as the user of the daemon'),
      );
    else if (fault !== null)
      checks.push(finding('openbao.login', `${path}: ${fault}`, 'see openbao.login in warden.yaml'));
    else checks.push(ok('openbao.login', `${path} is there, for its owner alone`));
  }
  if (token !== null) checks.push(judgeToken(token));
  if (certificateEnds !== null) checks.push(judgeCertificate('openbao.tls', certificateEnds, now));
  return checks;
}

function judgeToken({ fault, ttlSeconds }: NonNullable<StoreFacts['token']>): Check {
  if (fault !== null) return finding('openbao.token', fault.message, fault.hint);
  if (ttlSeconds === null || ttlSeconds === 0) return ok('openbao.token', 'OpenBao takes the token, which has no end');
  const left = `OpenBao takes the token, for another ${Math.round(ttlSeconds / 60)} min`;
  return ttlSeconds < SHORT_TOKEN_S
    ? finding('openbao.token', left, 'see what keeps the token file fresh')
    : ok('openbao.token', left);
}

/** A clock that was compared with ours. Milliseconds; positive: theirs is ahead. */
export interface ClockFacts {
  readonly id: string;
  readonly name: string;
  /** The least and the most that the difference can be; null where it could not be compared. */
  readonly skew: { readonly least: number; readonly most: number } | null;
  readonly why: string;
}

const SKEW_FINDING_MS = 30_000;
const SKEW_NOTE_MS = 2_000;

/** Certificates begin 60 s before now and ID tokens are given 60 s: clocks further apart than half of it are a finding. */
export function judgeClock({ id, name, skew, why }: ClockFacts): Check {
  if (skew === null) return unknown(id, `the clock of ${name} was not compared: ${why}`);
  // The nearest to none that the measurement permits.
  const least = skew.least > 0 ? skew.least : skew.most < 0 ? -skew.most : 0;
  const words = `the clock of ${name} is ${(least / 1000).toFixed(1)} s ${skew.least > 0 ? 'ahead of' : 'behind'} ours`;
  if (least > SKEW_FINDING_MS) return finding(id, words, 'set both clocks by NTP: timedatectl status');
  if (least > SKEW_NOTE_MS) return note(id, words, 'set both clocks by NTP: timedatectl status');
  return ok(id, `the clock of ${name} agrees with ours`);
}
