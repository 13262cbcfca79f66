import type { CallerSeen, ProcessStatus, StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import { olderSide } from '../neighbours.ts';
import type { ShownError } from '../report-error.ts';
import { type Check, finding, note, off, ok, unknown } from './check.ts';

export type DaemonFacts =
  | { readonly reached: false; readonly error: ShownError }
  | {
      readonly reached: true;
      readonly status: StatusResponse;
      /** Milliseconds that the answer took. */
      readonly ms: number;
      /** Of this client: version and process id. */
      readonly clientVersion: string;
      readonly ownPid: number;
    };

const SLOW_MS = 1_000;
const USER_MODE =
  'user mode separates nothing within one uid: a program of the same user can read the CA file and edit the config; it is for convenience and evidence';
const SYSTEM_MODE =
  'system mode: callers are told apart by uid, executable and unit, and the config is out of their reach';

/** What the daemon says of itself. */
export function judgeDaemon(facts: DaemonFacts): Check[] {
  if (!facts.reached) {
    const { message, hint } = facts.error;
    return [
      finding('daemon', message, hint),
      unknown('protection', 'no daemon answers: what follows is what can be seen without one'),
    ];
  }
  const { status, ms } = facts;
  const answer = `wardend ${status.version}, pid ${status.pid}, posture ${status.posture}`;
  return [
    ms > SLOW_MS
      ? finding('daemon', `${answer}: its answer took ${Math.round(ms)} ms`, 'see its load: warden status --watch')
      : ok('daemon', `${answer}, answered in ${Math.round(ms)} ms`),
    judgeVersions(status.version, facts.clientVersion),
    status.mode === 'user'
      ? note('protection', USER_MODE, 'against agents run the system mode, or hold the CA key in a confirming agent')
      : ok('protection', SYSTEM_MODE),
    ...judgeProcess(status.process),
    judgeCaller(status.caller, facts.ownPid),
    ...status.dependencies.map(({ name, state, detail, hint }) => {
      const says = detail === '' ? state.replaceAll('_', ' ') : detail;
      if (state === 'not_serving') return finding(`daemon.${name}`, says, hint || 'see the log of the daemon');
      return state === 'off' ? off(`daemon.${name}`, says) : ok(`daemon.${name}`, says);
    }),
    ...status.notices
      .filter((notice) => !notice.startsWith('user mode'))
      .map((notice, index) => note(`daemon.note.${index + 1}`, notice)),
  ];
}

/** Neighbours work together; whoever is further apart is told which side to upgrade. */
export function judgeVersions(daemon: string, client: string): Check {
  const older = olderSide(daemon, client);
  if (older === null) return ok('version', `client and daemon are ${daemon}`);
  return note('version', `the client is ${client}, the daemon ${daemon}`, `upgrade the ${older}`);
}

function judgeProcess(process: ProcessStatus | undefined): Check[] {
  if (process === undefined)
    return [unknown('hardening', 'this daemon is too old to say', 'upgrade it to the version of the client')];
  const { dumpable, coreLimit, pidfd, kernel, node, terminals } = process;
  return [
    dumpable
      ? finding(
          'hardening',
          'other processes of its user may read its memory',
          'start it by its own program: wardend sets this itself; see what undoes it (fs.suid_dumpable, a debugger)',
        )
      : coreLimit !== 0n
        ? finding('hardening', 'it may write a core file, which would hold the CA key', 'LimitCORE=0 in the unit')
        : ok('hardening', 'not dumpable, and no core file is ever written'),
    pidfd
      ? ok('pidfd', `callers are held by pidfd (kernel ${kernel})`)
      : finding(
          'pidfd',
          `callers are held by their start time alone (kernel ${kernel})`,
          'kernel 5.3 or newer; in a sandbox allow pidfd_open (SystemCallFilter=@system-service has it)',
        ),
    ok('daemon.node', `runs on Node ${node}`),
    terminals
      ? ok('terminals', 'commands can be given a terminal')
      : note(
          'terminals',
          'it can open no terminal: commands get pipes',
          'mount devpts at /dev/pts, and install util-linux (setsid)',
        ),
  ];
}

/** Selectors by executable and unit hold only for callers whose process the daemon can see. */
function judgeCaller(caller: CallerSeen | undefined, ownPid: number): Check {
  if (caller === undefined) return unknown('caller', 'this daemon is too old to say whom it sees');
  const { uid, gid, pid, exe, unit, userUnit } = caller;
  const mend =
    'list it by uid and gid alone, or run it where the daemon sees its processes (a pid namespace below its own, no user namespace)';
  if (pid === 0 || exe === '') {
    const where = pid === 0 ? 'in a pid namespace that the daemon cannot see' : 'a process that the daemon cannot read';
    return finding('caller', `you are uid ${uid}, gid ${gid}, ${where}: no selector by exe or unit matches`, mend);
  }
  const where = unit !== '' ? `, unit ${unit}` : userUnit !== '' ? `, user unit ${userUnit}` : '';
  const says = `the daemon sees you as uid ${uid}, gid ${gid}, ${exe}${where}`;
  return pid === ownPid
    ? ok('caller', says)
    : note('caller', `${says}; you are in a container: pid ${ownPid} here is ${pid} there`);
}
