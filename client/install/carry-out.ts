import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { WardenError } from '../../src/kernel/errors.ts';
import { usageError } from '../args.ts';
import { writeAtomically } from '../atomic-file.ts';
import { whyFile } from '../bounded-file.ts';
import type { Machine } from './plan.ts';
import { digestOf, type InstallRecord } from './record.ts';
import type { Step } from './steps.ts';

/** This machine, as a plan looks at it. */
export function thisMachine(account: string): Machine {
  return {
    read(path) {
      try {
        return readFileSync(path);
      } catch (error) {
        if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
        throw usageError(`cannot read ${path}: ${whyFile(error)}`, 'run it as the owner of that file');
      }
    },
    isFolder: (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
    accountThere: idOf('passwd', account) !== null && idOf('group', account) !== null,
  };
}

/** Does one step, and answers what is to be noted of it. @throws WardenError service_failed | invalid_request */
export function carryOut(step: Step, record: InstallRecord): InstallRecord {
  switch (step.kind) {
    case 'account': {
      const was = { account: idOf('passwd', step.name) === null, group: idOf('group', step.name) === null };
      makeAccount(step.name);
      return { ...record, account: record.account || was.account, group: record.group || was.group };
    }
    case 'folder': {
      const made = makeFolder(step.path, step.mode);
      if (step.group !== null) chownSync(step.path, -1, groupId(step.group));
      return { ...record, folders: [...record.folders, ...made] };
    }
    case 'file': {
      const { path, bytes, mode, group, part, replaces } = step;
      writeAtomically({ path, bytes, mode: 0o600, replace: replaces, durable: true });
      if (group !== null) chownSync(path, -1, groupId(group));
      chmodSync(path, mode);
      const noted = { path, sha256: digestOf(bytes) };
      const list = part === 'unit' ? 'units' : 'config';
      return { ...record, [list]: [...record[list].filter((other) => other.path !== path), noted] };
    }
    case 'command': {
      runCommand(step.argv);
      const at = step.argv.indexOf('enable');
      const units = at === -1 ? [] : step.argv.slice(at + 1).filter((word) => !word.startsWith('-'));
      return { ...record, enabled: [...new Set([...record.enabled, ...units])] };
    }
  }
}

/** @throws WardenError service_failed with what the program said */
export function runCommand(argv: readonly string[]): void {
  const [program = '', ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0) return;
  const said = error === undefined ? `${stderr}${stdout}`.trim().split('\n')[0] : whyFile(error);
  throw new WardenError('service_failed', `${argv.join(' ')} failed: ${said}`);
}

function makeAccount(name: string): void {
  // Both are there to stay where one of them is: an id is not to be given to somebody else.
  if (existsSync('/usr/bin/systemd-sysusers') || existsSync('/bin/systemd-sysusers')) {
    runCommand(['systemd-sysusers', '--inline', `u ${name} - "wardend" -`]);
  } else {
    const group = idOf('group', name) === null ? ['--user-group'] : ['--gid', name];
    runCommand([
      'useradd',
      '--system',
      ...group,
      '--no-create-home',
      '--home-dir',
      '/',
      '--shell',
      '/usr/sbin/nologin',
      name,
    ]);
  }
}

/** Those that were made, outermost first. */
function makeFolder(path: string, mode: number): string[] {
  const first = mkdirSync(path, { recursive: true, mode: mode | 0o700 });
  if (first === undefined) return [];
  chmodSync(path, mode);
  const made = [path];
  for (let at = path; at !== first; ) {
    at = at.slice(0, at.lastIndexOf('/'));
    made.unshift(at);
  }
  return made;
}

function groupId(name: string): number {
  const id = idOf('group', name);
  if (id === null) throw new WardenError('service_failed', `there is no group ${name}`);
  return id;
}

/** The number that the user database has; null where it has none. */
export function idOf(database: 'passwd' | 'group', name: string): number | null {
  const { stdout } = spawnSync('getent', [database, name], { encoding: 'utf8' });
  const id = /^[^:]+:[^:]*:(\d+):/.exec(stdout ?? '')?.[1];
  return id === undefined ? null : Number(id);
}
