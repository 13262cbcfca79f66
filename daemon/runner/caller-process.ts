import { readFileSync, readlinkSync } from 'node:fs';

/** Soft and hard; null is unlimited. */
export interface Limit {
  readonly soft: bigint | null;
  readonly hard: bigint | null;
}

/** What a command takes over from the process that asked for it, beside its ids. */
export interface CallerProcess {
  /** The kernel's link to its working folder: nobody moves another one under its name. */
  readonly cwd: string;
  readonly umask: number;
  /** By prlimit's names. */
  readonly limits: ReadonlyMap<string, Limit>;
  /** It and its children gain no privileges by executing a file. */
  readonly noNewPrivs: boolean;
  /** The capability bounding set. */
  readonly bounding: bigint;
}

/** As /proc/PID/limits names them, and prlimit. */
const LIMITS: Readonly<Record<string, string>> = {
  'Max cpu time': 'cpu',
  'Max file size': 'fsize',
  'Max data size': 'data',
  'Max stack size': 'stack',
  'Max core file size': 'core',
  'Max resident set': 'rss',
  'Max processes': 'nproc',
  'Max open files': 'nofile',
  'Max locked memory': 'memlock',
  'Max address space': 'as',
  'Max file locks': 'locks',
  'Max pending signals': 'sigpending',
  'Max msgqueue size': 'msgqueue',
  'Max nice priority': 'nice',
  'Max realtime priority': 'rtprio',
  'Max realtime timeout': 'rttime',
};

/**
 * Reads it, kernel memory all of it. The number may have been given to another process since: the connection must be
 * looked at again afterwards.
 * @throws NodeJS.ErrnoException where the process is gone or may not be looked at
 */
export function readCallerProcess(pid: number): CallerProcess {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  const field = (name: string): string => new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status)?.[1] ?? '';
  const cwd = `/proc/${pid}/cwd`;
  readlinkSync(cwd);
  return {
    cwd,
    umask: Number.parseInt(field('Umask') || '022', 8),
    limits: withOpenFiles(limitsOf(pid), Number(field('PPid'))),
    noNewPrivs: field('NoNewPrivs') === '1',
    bounding: BigInt(`0x${field('CapBnd') || '0'}`),
  };
}

function limitsOf(pid: number): Map<string, Limit> {
  return parseLimits(readFileSync(`/proc/${pid}/limits`, 'latin1'));
}

/**
 * Node raises its soft limit of open files to the hard one as it starts, and `warden` is Node: what the user set with
 * ulimit is left in the shell that started it. Taken from there it can only be lower, and the command may raise it.
 */
function withOpenFiles(limits: Map<string, Limit>, parent: number): Map<string, Limit> {
  const own = limits.get('nofile');
  if (own === undefined || own.soft !== own.hard || parent <= 0) return limits;
  try {
    const before = limitsOf(parent).get('nofile');
    return before?.hard === own.hard ? limits.set('nofile', before) : limits;
  } catch {
    return limits;
  }
}

/** Reads /proc/PID/limits; lines that this program does not know are left out. */
export function parseLimits(text: string): Map<string, Limit> {
  const limits = new Map<string, Limit>();
  for (const line of text.split('\n')) {
    const match = /^(Max [a-z ]+?)\s{2,}(\d+|unlimited)\s+(\d+|unlimited)\b/.exec(line);
    const name = LIMITS[match?.[1] ?? ''];
    if (match !== null && name !== undefined) limits.set(name, { soft: amount(match[2]), hard: amount(match[3]) });
  }
  return limits;
}

function amount(text: string | undefined): bigint | null {
  return text === undefined || text === 'unlimited' ? null : BigInt(text);
}
