import { reserveFor } from '../../src/ledger/space.ts';
import { counted } from '../output.ts';
import type { Check } from './check.ts';
import { finding, note, off, ok, unknown } from './check.ts';

/** stat(2) of a path as far as the rules look; null: there is none; a string: why it cannot be looked at. */
export type Seen = { readonly uid: number; readonly gid: number; readonly mode: number } | null | string;

export interface SocketFacts {
  readonly path: string;
  readonly file: Seen;
  readonly folder: Seen;
  /** Of warden.yaml; null where that is not readable. */
  readonly wanted: { readonly mode: number; readonly group: number | null } | null;
  readonly daemonUid: number;
}

/** Who can reach the socket, and who could put another in its place. */
export function judgeSocket({ path, file, folder, wanted, daemonUid }: SocketFacts): Check {
  if (file === null) return off('socket', `there is none at ${path}`);
  if (typeof file === 'string') return unknown('socket', `${path}: ${file}`);
  const shown = `${path}, mode ${octal(file.mode)}, uid ${file.uid}, gid ${file.gid}`;
  if ((file.mode & 0o007) !== 0)
    return finding('socket', `everybody may connect: ${shown}`, `chmod o-rwx ${path}; socket.mode in warden.yaml`);
  if (folder !== null && typeof folder !== 'string') {
    if ((folder.mode & 0o002) !== 0 && (folder.mode & 0o1000) === 0)
      return finding(
        'socket',
        `everybody may put another socket in its place: ${shown}`,
        `chmod o-w the folder of ${path}`,
      );
    if (folder.uid !== 0 && folder.uid !== daemonUid)
      return finding(
        'socket',
        `its folder belongs to uid ${folder.uid}: ${shown}`,
        `chown ${daemonUid} the folder of ${path}`,
      );
  }
  if (file.uid !== 0 && file.uid !== daemonUid)
    return finding(
      'socket',
      `it belongs to uid ${file.uid}, the daemon is uid ${daemonUid}: ${shown}`,
      'restart the daemon; see who listens: ss -xlp',
    );
  if (wanted !== null && (file.mode & 0o777) !== wanted.mode)
    return finding(
      'socket',
      `socket.mode says ${octal(wanted.mode)}: ${shown}`,
      'restart the daemon: the mode is set at start',
    );
  if (wanted !== null && wanted.group !== null && file.gid !== wanted.group)
    return finding(
      'socket',
      `socket.group says ${wanted.group}: ${shown}`,
      'restart the daemon, with a user who is in that group',
    );
  return ok('socket', shown);
}

export interface ConfigFacts {
  readonly dir: string;
  /** Why nothing can be said; null where it was read. */
  readonly closed: string | null;
  readonly empty: boolean;
  readonly posture: string | null;
  readonly actors: number;
  readonly problems: readonly { readonly place: string; readonly message: string; readonly hint: string }[];
  readonly warnings: readonly string[];
}

/** Ownership and permissions are part of what makes a config valid. */
export function judgeConfig(facts: ConfigFacts): Check[] {
  const { dir, closed, empty, problems, warnings, posture, actors } = facts;
  if (closed !== null) return [unknown('config', closed, 'run the doctor as root or as the user of the daemon')];
  if (empty) return [note('config', `there is none in ${dir}: the dev posture's defaults stand`, 'warden init')];
  if (problems.length > 0)
    return problems.map(({ place, message, hint }) => finding('config', `${place}: ${message}`, hint));
  return [
    ok('config', `${dir}: posture ${posture}, ${counted(actors, 'actor')}; owners and permissions hold`),
    ...warnings.map((warning) => note('config', warning)),
  ];
}

export interface StateFacts {
  readonly dir: string;
  readonly folder: Seen;
  readonly daemonUid: number;
  /** Bytes free to the daemon's user and in all; null where it cannot be told. */
  readonly disk: { readonly free: number; readonly total: number; readonly freeFiles: number } | null;
}

const MiB = 1024 * 1024;
const LOW_FACTOR = 8;
const FEW_FILES = 100;

/** The state folder, and the room on its disk: where the ledger cannot be written nothing is released. */
export function judgeState({ dir, folder, daemonUid, disk }: StateFacts): Check[] {
  if (folder === null) return [note('state', `there is no ${dir} yet: the daemon makes it`)];
  if (typeof folder === 'string')
    return [unknown('state', `${dir}: ${folder}`, 'run the doctor as root or as the user of the daemon')];
  const shown = `${dir}, mode ${octal(folder.mode)}, uid ${folder.uid}`;
  const checks: Check[] = [];
  if (folder.uid !== daemonUid)
    checks.push(
      finding('state', `it does not belong to the daemon (uid ${daemonUid}): ${shown}`, `chown ${daemonUid} ${dir}`),
    );
  else if ((folder.mode & 0o077) !== 0)
    checks.push(finding('state', `others may look into it: ${shown}`, `chmod 700 ${dir}`));
  else checks.push(ok('state', shown));
  if (disk === null) return [...checks, unknown('disk', 'the file system of the state folder does not say')];
  const reserve = reserveFor(disk.total);
  const free = `${Math.floor(disk.free / MiB)} MiB free`;
  const mend = 'make room on the disk of the state folder; full means that nothing is released';
  if (disk.free < reserve) checks.push(finding('disk', `${free}: refusals are no longer recorded one by one`, mend));
  else if (disk.free < reserve * LOW_FACTOR) checks.push(finding('disk', `${free}: the end is near`, mend));
  else if (disk.freeFiles >= 0 && disk.freeFiles < FEW_FILES)
    checks.push(finding('disk', `${disk.freeFiles} files may still be made (inodes)`, mend));
  else checks.push(ok('disk', free));
  return checks;
}

export interface CaFacts {
  readonly backend: 'local' | 'openbao';
  readonly posture: string;
  /** As in warden.yaml, a path made absolute. */
  readonly key: string;
  /** Of a key in a file. */
  readonly file: Seen;
  /** Days since the file was written; null where unknown. */
  readonly ageDays: number | null;
  readonly daemonUid: number;
  readonly mode: 'user' | 'system';
}

const OLD_DAYS = 365;

/** Custody, permissions and age of the key that signs. */
export function judgeCa({ backend, posture, key, file, ageDays, daemonUid, mode }: CaFacts): Check[] {
  if (backend === 'openbao') return [ok('ca', 'the key is in OpenBao, which alone signs with it')];
  if (key.startsWith('agent:')) return [ok('ca', `the key is held by an ssh-agent (${key.slice('agent:'.length)})`)];
  if (key.startsWith('credential:')) return [ok('ca', `the key comes as a systemd credential (${key})`)];
  if (file === null)
    return [finding('ca', `there is no CA key at ${key}`, 'warden init makes one, or put yours there')];
  if (typeof file === 'string')
    return [unknown('ca', `${key}: ${file}`, 'run the doctor as root or as the user of the daemon')];
  if ((file.mode & 0o077) !== 0)
    return [
      finding(
        'ca',
        `others may read the CA key ${key}, mode ${octal(file.mode)}`,
        `chmod 600 ${key}; then roll the key`,
      ),
    ];
  if (file.uid !== 0 && file.uid !== daemonUid)
    return [
      finding('ca', `the CA key ${key} belongs to uid ${file.uid}`, `chown ${daemonUid} ${key}; then roll the key`),
    ];
  const age = ageDays === null ? '' : `, ${ageDays} days old`;
  const checks = [ok('ca', `the key is a file, mode ${octal(file.mode)}${age}`)];
  if (ageDays !== null && ageDays > OLD_DAYS)
    checks.push(
      note('ca.age', `the CA key is ${ageDays} days old`, 'roll it: publish a next key in ca.next, then swap'),
    );
  if (posture === 'prod' && mode === 'user')
    checks.push(
      note(
        'ca.custody',
        'prod with the CA key in a file that programs of the same user can read',
        'system mode, or ca.key: agent:…',
      ),
    );
  return checks;
}

export type LedgerFacts =
  | { readonly kind: 'none'; readonly dir: string }
  | { readonly kind: 'closed'; readonly why: string }
  | { readonly kind: 'whole'; readonly records: number; readonly findings: readonly string[]; readonly notes: number }
  | { readonly kind: 'tail'; readonly records: number; readonly lastSeq: number | null; readonly fault: string | null };

/** Whether the record still says what it said. */
export function judgeLedger(facts: LedgerFacts): Check {
  switch (facts.kind) {
    case 'none':
      return note('ledger', `there is none in ${facts.dir} yet`);
    case 'closed':
      return unknown('ledger', facts.why, 'run the doctor as root or as the user of the daemon');
    case 'whole': {
      const [first] = facts.findings;
      if (first === undefined) return ok('ledger', `${facts.records} records, chain and signatures hold`);
      const more = facts.findings.length > 1 ? ` (and ${facts.findings.length - 1} more)` : '';
      return finding(
        'ledger',
        `broken: ${first}${more}`,
        'warden ledger verify names every place; warden explain ledger_broken',
      );
    }
    case 'tail':
      return facts.fault === null
        ? ok('ledger', `the last ${facts.records} records up to ${facts.lastSeq} hold; warden ledger verify reads all`)
        : finding(
            'ledger',
            `broken at its end: ${facts.fault}`,
            'warden ledger verify names every place; warden explain ledger_broken',
          );
  }
}

export function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
