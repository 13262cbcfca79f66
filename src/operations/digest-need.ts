import type { Caller, Selector } from '../callers/caller.ts';
import type { ExecutableIndex } from '../callers/executable-index.ts';
import { needsDigest } from '../callers/match.ts';
import type { Snapshot } from '../config/snapshot.ts';

/** Selectors with `exe_sha256` by the uid that they name; under null those that name none. */
type DigestSelectors = ReadonlyMap<number | null, readonly Selector[]>;

const indexed = new WeakMap<Snapshot, DigestSelectors>();

/**
 * Whether the digest of this caller's program can matter to anything in the snapshot: some selector wants one, and
 * the caller holds its every other key. It hangs on the caller alone and not on what is asked, so that neither the
 * time of a refusal tells which actors exist, nor any stranger makes the daemon read files.
 */
export function digestMatters(snapshot: Snapshot, caller: Caller, executables: ExecutableIndex): boolean {
  if (!snapshot.usesDigests) return false;
  const byUid = digestSelectors(snapshot);
  const facts = { executables, exeSha256: null };
  return [caller.uid, null].some((uid) => needsDigest(byUid.get(uid) ?? [], caller, facts));
}

/** Found once for a snapshot: a request must not cost more where there are more actors. */
function digestSelectors(snapshot: Snapshot): DigestSelectors {
  const known = indexed.get(snapshot);
  if (known !== undefined) return known;
  const distinct = new Map<string, Selector>();
  for (const selector of allSelectors(snapshot)) {
    if (selector.exeSha256 === undefined) continue;
    const { uid, gid, exe, unit, userUnit } = selector;
    distinct.set(JSON.stringify([uid, gid, exe, unit, userUnit]), selector);
  }
  const byUid = new Map<number | null, Selector[]>();
  for (const selector of distinct.values()) {
    const uid = selector.uid ?? null;
    const list = byUid.get(uid);
    if (list === undefined) byUid.set(uid, [selector]);
    else list.push(selector);
  }
  indexed.set(snapshot, byUid);
  return byUid;
}

function* allSelectors({ settings, actors, hosts }: Snapshot): Iterable<Selector> {
  yield* settings.admins ?? [];
  yield* settings.auditors;
  yield* settings.policy.breakGlass.callers;
  for (const actor of actors.values()) yield* actor.callers ?? [];
  for (const host of hosts) yield* host.hostCertificate?.callers ?? [];
}
