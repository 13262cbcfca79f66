import type { Caller, Selector } from './caller.ts';
import type { ExecutableIndex } from './executable-index.ts';

/** What a decision needs beyond the caller itself. */
export interface MatchFacts {
  readonly executables: ExecutableIndex;
  /** Of the running executable, lower-case hex; null where it is not known: then no digest matches. */
  readonly exeSha256: string | null;
}

export type SelectorKey = 'uid' | 'gid' | 'exe' | 'exeSha256' | 'unit' | 'userUnit';

const KEYS: readonly SelectorKey[] = ['uid', 'gid', 'exe', 'exeSha256', 'unit', 'userUnit'];

/** Whether every key of the selector holds. A selector without keys matches nobody, whatever a loader let through. */
export function matches(selector: Selector, caller: Caller, facts: MatchFacts): boolean {
  const keys = keysOf(selector);
  return keys.length > 0 && keys.every((key) => holds(key, selector, caller, facts));
}

/** Index of the first selector that matches; null where none does. An empty list matches nobody. */
export function firstMatch(selectors: readonly Selector[], caller: Caller, facts: MatchFacts): number | null {
  const index = selectors.findIndex((selector) => matches(selector, caller, facts));
  return index === -1 ? null : index;
}

/** Whether the caller may ask for what these `callers:` guard; null (absent in the file) stands for the daemon's own uid. */
export function mayAsk(
  callers: readonly Selector[] | null,
  caller: Caller,
  daemonUid: number,
  facts: MatchFacts,
): boolean {
  return firstMatch(callers ?? [{ uid: daemonUid }], caller, facts) !== null;
}

/** Whether the answer hangs on the digest: the one fact that costs a read of the file, not asked for strangers. */
export function needsDigest(selectors: readonly Selector[] | null, caller: Caller, facts: MatchFacts): boolean {
  return (selectors ?? []).some(
    (selector) =>
      selector.exeSha256 !== undefined &&
      keysOf(selector).every((key) => key === 'exeSha256' || holds(key, selector, caller, facts)),
  );
}

/** The selector that came closest, for an administrator who asks why. */
export interface NearestMiss {
  readonly index: number;
  readonly held: readonly SelectorKey[];
  readonly failed: readonly { readonly key: SelectorKey; readonly wanted: string; readonly had: string }[];
}

/** Null where there are no selectors or one of them matches. The fewest failed keys, then the most held, then the first. */
export function nearestMiss(selectors: readonly Selector[], caller: Caller, facts: MatchFacts): NearestMiss | null {
  let nearest: NearestMiss | null = null;
  for (const [index, selector] of selectors.entries()) {
    const keys = keysOf(selector);
    if (keys.length === 0) continue;
    const held = keys.filter((key) => holds(key, selector, caller, facts));
    if (held.length === keys.length) return null;
    const failed = keys
      .filter((key) => !held.includes(key))
      .map((key) => ({ key, wanted: String(selector[key]), had: had(key, caller, facts) }));
    if (nearest === null || isNearer({ index, held, failed }, nearest)) nearest = { index, held, failed };
  }
  return nearest;
}

function isNearer(a: NearestMiss, b: NearestMiss): boolean {
  if (a.failed.length !== b.failed.length) return a.failed.length < b.failed.length;
  return a.held.length > b.held.length;
}

function keysOf(selector: Selector): SelectorKey[] {
  return KEYS.filter((key) => selector[key] !== undefined);
}

function holds(key: SelectorKey, selector: Selector, caller: Caller, facts: MatchFacts): boolean {
  switch (key) {
    // The kernel's stand-in for an id without a number is nobody's in particular: not uid 65534 of the file either.
    case 'uid':
      return caller.unmapped?.uid !== true && caller.uid === selector.uid;
    case 'gid':
      return holdsGroup(selector.gid, caller);
    case 'exe':
      return selector.exe !== undefined && isExecutable(selector.exe, caller, facts.executables);
    case 'exeSha256':
      return facts.exeSha256 !== null && facts.exeSha256 === selector.exeSha256;
    case 'unit':
      return caller.unit !== null && caller.unit === selector.unit;
    case 'userUnit':
      return caller.userUnit !== null && caller.userUnit === selector.userUnit;
  }
}

function holdsGroup(gid: number | undefined, caller: Caller): boolean {
  if (gid === undefined) return false;
  return (caller.unmapped?.gid !== true && caller.gid === gid) || caller.groups.includes(gid);
}

/** Not by name: the caller's mount namespace may hold anything at that path. */
function isExecutable(path: string, caller: Caller, executables: ExecutableIndex): boolean {
  if (caller.exeFile === null) return false;
  const file = executables.identify(path);
  return file !== null && file.dev === caller.exeFile.dev && file.ino === caller.exeFile.ino;
}

function had(key: SelectorKey, caller: Caller, facts: MatchFacts): string {
  switch (key) {
    case 'uid':
      return caller.unmapped?.uid === true
        ? "a uid without a number in the daemon's user namespace"
        : String(caller.uid);
    case 'gid':
      return caller.unmapped?.gid === true
        ? ["a gid without a number in the daemon's user namespace", ...caller.groups].join(', ')
        : [caller.gid, ...caller.groups].join(', ');
    case 'exe':
      if (caller.exe === null) return 'not readable';
      return caller.exeFile === null ? caller.exe : `${caller.exe}, another file than the one at the path`;
    case 'exeSha256':
      return facts.exeSha256 ?? 'not known';
    case 'unit':
      return caller.unit ?? 'none';
    case 'userUnit':
      return caller.userUnit ?? 'none';
  }
}
