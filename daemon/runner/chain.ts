import type { Identity } from '../../src/access/become.ts';
import type { CallerProcess, Limit } from './caller-process.ts';
import { withJobControl } from './job-control.ts';

/** util-linux's and coreutils' programs, absolute. */
export interface Tools {
  readonly setpriv: string;
  readonly prlimit: string;
  readonly setsid: string;
  readonly unshare: string;
  readonly env: string;
  readonly cat: string;
  /** Null: commands at a terminal do without job control. */
  readonly perl: string | null;
}

export interface ChainRequest {
  readonly program: string;
  /** Without argv[0]. */
  readonly args: readonly string[];
  /** Null: stay who we are. */
  readonly identity: Identity | null;
  readonly caller: CallerProcess;
  readonly terminal: boolean;
  /** Descriptors of values, which what keeps its job control must not have. Null: without. */
  readonly jobControl: Iterable<number> | null;
  readonly network: boolean;
  /** What the programs on the way must not have in their environment, to be put back at the end. Never a value. */
  readonly restored: readonly (readonly [name: string, value: string])[];
}

/** What the process that starts commands has itself. */
export interface OwnBounds {
  readonly limits: ReadonlyMap<string, Limit>;
  /** CAP_SYS_RESOURCE: hard limits can be raised. */
  readonly mayRaise: boolean;
  /** The capability bounding set. */
  readonly bounding: bigint;
}

/**
 * The argv that turns a child of ours into the caller's command: each program does one thing and executes the next, in
 * the same process. The order matters: what needs privilege comes before they are given up, the parent-death signal
 * after it (the kernel forgets the signal when ids change), the controlling terminal last, and what needs one.
 */
export function chain(request: ChainRequest, tools: Tools, own: OwnBounds): readonly string[] {
  const { identity, caller, program } = request;
  return [
    ...(request.network ? [] : withoutNetwork(identity, tools)),
    ...limiting(caller.limits, own, tools),
    tools.setpriv,
    ...(identity === null ? [] : becoming(identity, own.bounding & ~caller.bounding)),
    ...(caller.noNewPrivs ? ['--no-new-privs'] : []),
    '--pdeathsig',
    'TERM',
    '--',
    ...(request.terminal ? [tools.setsid, '--ctty', '--'] : []),
    ...(request.jobControl === null || tools.perl === null
      ? []
      : withJobControl(tools.perl, tools.cat, request.jobControl)),
    // A name with "=" in the program's place would be taken for a variable: the path is absolute, and none begins so.
    ...(request.restored.length === 0
      ? []
      : [tools.env, '--', ...request.restored.map(([name, value]) => `${name}=${value}`)]),
    program,
    ...request.args,
  ];
}

/** As root a namespace of its own is enough. Others may have one only inside a user namespace of their own. */
function withoutNetwork(identity: Identity | null, { unshare }: Tools): readonly string[] {
  return identity === null ? [unshare, '--user', '--map-current-user', '--net', '--'] : [unshare, '--net', '--'];
}

/** `lost` are the capabilities of our own bounding set that the caller can never have: nor can the command. */
function becoming({ uid, gid, groups }: Identity, lost: bigint): readonly string[] {
  const numbers = Array.from({ length: 64 }, (_, number) => number).filter((n) => (lost & (1n << BigInt(n))) !== 0n);
  return [
    '--reuid',
    String(uid),
    '--regid',
    String(gid),
    ...(groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]),
    '--inh-caps=-all',
    '--ambient-caps=-all',
    ...(numbers.length === 0 ? [] : [`--bounding-set=${numbers.map((number) => `-cap_${number}`).join(',')}`]),
  ];
}

function limiting(wanted: ReadonlyMap<string, Limit>, own: OwnBounds, { prlimit }: Tools): readonly string[] {
  const options: string[] = [];
  for (const [name, limit] of wanted) {
    const ours = own.limits.get(name);
    if (ours === undefined) continue;
    const hard = own.mayRaise ? limit.hard : lower(limit.hard, ours.hard);
    const soft = lower(limit.soft, hard);
    if (soft !== ours.soft || hard !== ours.hard) options.push(`--${name}=${shown(soft)}:${shown(hard)}`);
  }
  return options.length === 0 ? [] : [prlimit, ...options, '--'];
}

function lower(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

function shown(limit: bigint | null): string {
  return limit === null ? 'unlimited' : String(limit);
}
