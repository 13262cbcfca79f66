import { rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { idOf, runCommand } from './carry-out.ts';
import type { Place } from './place.ts';
import { ACCOUNT, type Machine } from './plan.ts';
import { digestOf, type InstallRecord, type RecordedFile } from './record.ts';

/** One thing that is undone, and what the record says after it. */
export interface UndoStep {
  readonly says: readonly [string, string, string];
  readonly rest: (record: InstallRecord) => InstallRecord;
  readonly run: () => void;
}

export interface UndoPlan {
  readonly steps: readonly UndoStep[];
  /** To be removed where nothing is left in them, innermost first. */
  readonly folders: readonly string[];
  /** What stays, with the reason. */
  readonly kept: readonly (readonly [string, string])[];
}

/**
 * What takes an installation away: that which it made, where it is still as it was made. Config, keys and ledger are
 * their owner's by now, and go with `purge` alone; so does the account that owns the ledger.
 */
export function planUndo(place: Place, machine: Machine, record: InstallRecord, purge: boolean): UndoPlan {
  const kept: [string, string][] = [];
  const steps: UndoStep[] = [];
  const command = (argv: readonly string[], rest: UndoStep['rest'] = same): void => {
    steps.push({ says: ['run', argv.join(' '), ''], rest, run: () => runCommand(argv) });
  };
  const unlink = (list: 'units' | 'config', file: RecordedFile, why: string): void => {
    steps.push({
      says: ['remove', file.path, why],
      rest: (now) => ({ ...now, [list]: now[list].filter(({ path }) => path !== file.path) }),
      run: () => unlinkSync(file.path),
    });
  };

  if (record.enabled.length > 0) {
    const services = ['wardend.service', ...place.units.keys()].filter((name) => name.endsWith('.service'));
    const units = [...new Set([...record.enabled.filter((name) => name.endsWith('.socket')), ...services])];
    command([...place.systemctl, 'disable', '--now', ...units], (now) => ({ ...now, enabled: [] }));
    // Kept while the service is down (RuntimeDirectoryPreserve=), and made by none but its units.
    steps.push({
      says: ['remove', place.runtimeDir, 'sockets, and how far the ledger got'],
      rest: same,
      run: () => rmSync(place.runtimeDir, { recursive: true, force: true }),
    });
  }
  for (const file of record.units) {
    const there = machine.read(file.path);
    if (there === null) steps.push(forget('units', file));
    else if (digestOf(there) === file.sha256) unlink('units', file, 'unit');
    else kept.push([file.path, 'it was changed since it was installed']);
  }
  if (record.units.length > 0) command([...place.systemctl, 'daemon-reload']);

  for (const file of record.config) {
    if (machine.read(file.path) === null) steps.push(forget('config', file));
    else if (purge) unlink('config', file, 'config');
    else kept.push([file.path, 'config; --purge removes it']);
  }
  const { state } = record;
  if (state !== null && !machine.isFolder(state)) steps.push(forgetState());
  else if (state !== null && purge) {
    steps.push({
      ...forgetState(),
      says: ['remove', state, 'the ledger, with everything in it'],
      run: () => rmSync(state, { recursive: true }),
    });
  } else if (state !== null) kept.push([state, 'the ledger; --purge removes it']);

  const names = [...(record.account ? ['user'] : []), ...(record.group ? ['group'] : [])];
  if (names.length > 0) {
    const who = `${names.join(' and ')} ${ACCOUNT}`;
    if (!purge && (state !== null || record.config.length > 0)) kept.push([who, 'it owns what stays']);
    else {
      steps.push({
        says: ['remove', who, ''],
        rest: (now) => ({ ...now, account: false, group: false }),
        run: () => removeAccount(record),
      });
    }
  }
  return { steps, folders: [...record.folders].reverse(), kept };
}

const same = (record: InstallRecord): InstallRecord => record;

function forget(list: 'units' | 'config', file: RecordedFile): UndoStep {
  return {
    says: ['gone', file.path, 'somebody removed it already'],
    rest: (now) => ({ ...now, [list]: now[list].filter(({ path }) => path !== file.path) }),
    run: () => {},
  };
}

function forgetState(): UndoStep {
  return { says: ['gone', 'the state folder', ''], rest: (now) => ({ ...now, state: null }), run: () => {} };
}

/** The group goes with the user, unless it has other members: those lose it here, too. */
function removeAccount({ account, group }: InstallRecord): void {
  if (account && idOf('passwd', ACCOUNT) !== null) runCommand(['userdel', ACCOUNT]);
  if (group && idOf('group', ACCOUNT) !== null) runCommand(['groupdel', ACCOUNT]);
}

/** True where the folder is gone now: what somebody else put into it keeps it. */
export function removedFolder(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}
