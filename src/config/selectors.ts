import type { Selector } from '../callers/caller.ts';
import type { Facts } from './facts.ts';
import { isInterpreter } from './interpreters.ts';
import type { Problems } from './problems.ts';
import type { RawSelector } from './schema/selector.ts';

/** Selectors as the matcher takes them: names resolved, interpreters warned of. */
export function toSelectors(
  raw: readonly RawSelector[],
  path: readonly PropertyKey[],
  facts: Facts,
  problems: Problems,
): readonly Selector[] {
  return raw.map((entry, index) => toSelector(entry, [...path, index], facts, problems));
}

function toSelector(raw: RawSelector, path: readonly PropertyKey[], facts: Facts, problems: Problems): Selector {
  const uid = raw.user === undefined ? raw.uid : named('user', raw.user, facts.uid(raw.user), path, problems);
  const gid = raw.group === undefined ? raw.gid : named('group', raw.group, facts.gid(raw.group), path, problems);
  if (raw.exe !== undefined) warnOfInterpreter(raw.exe, [...path, 'exe'], facts, problems);
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(raw.exe === undefined ? {} : { exe: raw.exe }),
    ...(raw.exe_sha256 === undefined ? {} : { exeSha256: raw.exe_sha256.toLowerCase() }),
    ...(raw.unit === undefined ? {} : { unit: raw.unit }),
    ...(raw.user_unit === undefined ? {} : { userUnit: raw.user_unit }),
  };
}

// Where the name is unknown the number stays out, and the problem keeps the whole file out.
function named(
  key: 'user' | 'group',
  name: string,
  found: number | null,
  path: readonly PropertyKey[],
  problems: Problems,
): number | undefined {
  if (found !== null) return found;
  problems.at(
    [...path, key],
    `there is no ${key} \`${name}\` on this machine`,
    `a ${key} that exists, or ${key === 'user' ? 'uid' : 'gid'}: and its number`,
  );
  return undefined;
}

function warnOfInterpreter(exe: string, path: readonly PropertyKey[], facts: Facts, problems: Problems): void {
  const real = facts.realPath(exe);
  if (real === null) problems.warn(path, `there is nothing at ${exe}: this selector matches no one`);
  if (isInterpreter(exe) || (real !== null && isInterpreter(real))) {
    problems.warn(path, `${exe} is an interpreter: it admits every script of that user`);
  }
}
