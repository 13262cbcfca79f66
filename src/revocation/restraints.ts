/** What a revocation holds back. `until`: seconds since the epoch after which the certificate is none any more; null: not known. */
export type Revoked =
  | { readonly what: 'serial'; readonly value: bigint; readonly until: bigint | null }
  | { readonly what: 'key_id'; readonly value: string; readonly until: bigint | null }
  /** `SHA256:…` of a key: every certificate over it, and every one that it signed. */
  | { readonly what: 'key'; readonly value: string }
  /** Gets nothing new. */
  | { readonly what: 'actor'; readonly value: string };

export interface RevocationChange {
  readonly kind: 'revoke';
  readonly action: 'set' | 'lift';
  readonly items: readonly Revoked[];
}

export interface LockdownChange {
  readonly kind: 'lockdown';
  readonly action: 'set' | 'lift';
  readonly reason: string;
}

/** One step of the state, as one ledger record holds it. */
export type RestraintChange = RevocationChange | LockdownChange;

export interface Lockdown {
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string;
}

/** Everything that is held back. Never changed in place. */
export interface RestraintState {
  /** Number and time of the last ledger record that is in here; 0 where there is none. */
  readonly seq: number;
  readonly time: number;
  readonly serials: ReadonlyMap<bigint, bigint | null>;
  readonly keyIds: ReadonlyMap<string, bigint | null>;
  readonly keys: ReadonlySet<string>;
  readonly actors: ReadonlySet<string>;
  readonly lockdown: Lockdown | null;
}

export const UNRESTRAINED: RestraintState = {
  seq: 0,
  time: 0,
  serials: new Map(),
  keyIds: new Map(),
  keys: new Set(),
  actors: new Set(),
  lockdown: null,
};

/** Whatever its end says. */
export function isHeld({ serials, keyIds, keys, actors }: RestraintState, item: Revoked): boolean {
  switch (item.what) {
    case 'serial':
      return serials.has(item.value);
    case 'key_id':
      return keyIds.has(item.value);
    case 'key':
      return keys.has(item.value);
    case 'actor':
      return actors.has(item.value);
  }
}

/**
 * Clocks of hosts may be behind, a list may be older than it should be, and this machine's own clock may leap ahead and
 * come back: what is forgotten too early is good again everywhere.
 */
const KEPT_AFTER_END_SECONDS = 30n * 86_400n;

/** The state after a change that stands in the record with this number. What has expired for thirty days is left out. */
export function applyChange(
  state: RestraintState,
  change: RestraintChange,
  at: { readonly seq: number; readonly time: number },
): RestraintState {
  if (change.kind === 'lockdown') {
    const lockdown = change.action === 'lift' ? null : { since: at.time, reason: change.reason };
    return { ...state, ...at, lockdown };
  }
  // One change under a clock that is years ahead forgets nothing: the one before it has to say so, too.
  const surely = Math.min(state.time, at.time);
  const serials = withoutExpired(state.serials, surely);
  const keyIds = withoutExpired(state.keyIds, surely);
  const keys = new Set(state.keys);
  const actors = new Set(state.actors);
  const set = change.action === 'set';
  for (const item of change.items) {
    switch (item.what) {
      case 'serial':
        put(serials, item.value, item.until, set);
        break;
      case 'key_id':
        put(keyIds, item.value, item.until, set);
        break;
      case 'key':
        toggle(keys, item.value, set);
        break;
      case 'actor':
        toggle(actors, item.value, set);
        break;
    }
  }
  return { ...state, ...at, serials, keyIds, keys, actors };
}

function withoutExpired<Key>(map: ReadonlyMap<Key, bigint | null>, now: number): Map<Key, bigint | null> {
  const oldest = BigInt(Math.floor(now / 1000)) - KEPT_AFTER_END_SECONDS;
  return new Map([...map].filter(([, until]) => until === null || until >= oldest));
}

function put<Key>(map: Map<Key, bigint | null>, key: Key, until: bigint | null, set: boolean): void {
  if (!set) map.delete(key);
  // An end that is not known is the longer one.
  else map.set(key, map.has(key) && map.get(key) === null ? null : until);
}

function toggle(all: Set<string>, value: string, set: boolean): void {
  if (set) all.add(value);
  else all.delete(value);
}
