import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { houseWith, uid } from '../access/support.ts';
import { builtPrograms } from '../support/built.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

export const INVENTORY = `version: 1
actors:
  - { name: agt-m1, type: agt, principals: [p], maturity: M1, callers: [{ uid: ${uid} }] }
  - { name: agt-foreign, type: agt, principals: [p], maturity: M3, callers: [{ uid: ${uid + 4242} }] }
`;

const kv = (id: string, more: string): string => `  - id: ${id}
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: of/${id}, fields: [a, b] } }
    exec_capable: true
    actors: [agt-m1]
${more
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
`;

export const ROUTES = `version: 1
routes:
${kv('plain', 'inject: [{ field: a, env: TOKEN }]\nallow_unmasked: true')}
${kv('both', 'inject: [{ field: a, env: USER_A }, { field: b, env: USER_B }]')}
${kv('by-file', 'inject: [{ field: a, file: TOKEN_FILE }]')}
${kv('by-fd', 'inject: [{ field: a, fd: 5 }]')}
${kv('by-stdin', 'inject: [{ field: a, stdin: true }]')}
${kv('listed', 'inject: [{ field: a, env: LISTED }]\ncommands: [{ path: /bin/echo, argv: [hello, "**"] }, { path: /bin/cat }]')}
${kv('short', 'inject: [{ field: a, env: TOKEN }]\nmax_duration: 1s')}
${kv('no-inject', 'allow_unmasked: true')}
  - id: of-another
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: x, fields: [a] } }
    exec_capable: true
    inject: [{ field: a, env: OTHER }]
    actors: [agt-foreign]
  - id: leased
    owner: openbao
    lane: openbao-dynamic
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: database, path: creds/x, fields: [username, password] } }
    exec_capable: true
    inject: [{ field: username, env: PGUSER }, { field: password, env: PGPASSWORD }]
    actors: [agt-m1]
  - id: toolless
    owner: issue-core
    lane: tool
    tool: { argv: [no-such-tool, --json], output: { format: raw, field: t } }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    exec_capable: true
    inject: [{ field: t, env: TOOLLESS }]
    actors: [agt-m1]
  - id: foldered
    owner: issue-core
    lane: tool
    tool: { argv: [/usr/bin, --json], output: { format: raw, field: t } }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    exec_capable: true
    inject: [{ field: t, env: FOLDERED }]
    actors: [agt-m1]
`;

export const WARDEN = 'version: 1\nposture: dev\nlimits: { per_caller_rate: 10000/s, per_caller_concurrency: 200 }\n';

export function execDaemon(warden = WARDEN, env: Record<string, string> = {}): Promise<RunningDaemon> {
  return startDaemon({ house: houseWith({ warden, inventory: INVENTORY, routes: ROUTES }), env });
}

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  /** Resolves once so much has come on stdout. */
  saw(text: string): Promise<void>;
}

export interface Options {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Absent: /dev/null. `open`: a pipe that stays open. */
  readonly stdin?: Buffer | string | 'open';
  readonly through?: readonly string[];
}

/** `warden exec …` as a shell would run it. */
export function start(daemon: RunningDaemon, args: readonly string[], options: Options = {}): Running {
  const { stdin, through = [], cwd, env = {} } = options;
  const [file = '', ...rest] = [...through, process.execPath, '--', builtPrograms().warden, 'exec', ...args];
  const child = spawn(file, rest, {
    cwd: cwd ?? daemon.house.folder,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: '/nonexistent',
      WARDEN_SOCKET: daemon.socket,
      LC_ALL: 'C.UTF-8',
      ...env,
    },
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  const waiting = new Set<() => void>();
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout.push(chunk);
    for (const look of waiting) look();
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdin?.on('error', () => {});
  if (stdin !== undefined && stdin !== 'open') child.stdin?.end(stdin);
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout: Buffer.concat(stdout), stderr }));
  });
  const saw = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!Buffer.concat(stdout).includes(text)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
      ended.then(({ stderr: why }) => reject(new Error(`ended without ${text}: ${why}`)), reject);
    });
  return { child, ended, saw };
}

/** To its end, with stdout as text. */
export async function exec(
  daemon: RunningDaemon,
  args: readonly string[],
  options: Options = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await start(daemon, args, options).ended;
  return { code, stdout: stdout.toString('utf8'), stderr };
}

export const sh = (script: string, ...args: string[]): string[] => ['--', 'sh', '-c', script, 'sh', ...args];

/** Looks again and again, for a few seconds at most. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never: ${what}`);
    await pause(10);
  }
}

export async function fileSays(path: string, text: string): Promise<void> {
  await until(() => existsSync(path) && readFileSync(path, 'utf8').includes(text), `${path} says ${text}`);
}

export function isAlive(pid: number): boolean {
  try {
    // A zombie is dead: nobody has asked for its exit code yet.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
