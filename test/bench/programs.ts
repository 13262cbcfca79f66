import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { LoopPauses } from './loop-probe.ts';

export interface Program {
  readonly dir: string;
  readonly socket: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

export interface Config {
  readonly dir: string;
  readonly config: string;
  readonly socket: string;
  /** For `node`. */
  readonly args: readonly string[];
}

export interface DaemonOptions {
  readonly actors?: number;
  /** Lines under `policy:` of warden.yaml. */
  readonly policy?: string;
  /** Watches its event loop, and tells of it in `loopPauses`. */
  readonly probed?: boolean;
}

export function scratch(name: string): string {
  return mkdtempSync(join(tmpdir(), `warden-bench-${name}-`));
}

export function keyPair(path: string): string {
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', path]);
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
  return readFileSync(`${path}.pub`, 'utf8').trim();
}

export function inventory(actors: number): string {
  const lines = Array.from(
    { length: actors },
    (_, i) => `  - { name: agt-bench-${i}, type: agt, principals: [bench-${i}], ttl_hours: 8 }`,
  );
  return `version: 1\nactors:\n${lines.join('\n')}\n`;
}

/** A wardend in the test posture over a CA file, with limits out of the way. Resolves when it is ready. */
export async function startDaemon(options: DaemonOptions = {}): Promise<Program & Config> {
  const config = writeConfig(options);
  const args = options.probed === true ? ['--import', './.cache/bench/loop-probe.mjs', ...config.args] : config.args;
  return { ...config, ...(await started(args, config.dir, config.socket)) };
}

/** The longest pauses of a probed daemon since this was last asked. */
export async function loopPauses({ child, dir }: Program): Promise<LoopPauses> {
  const file = loopFile(dir);
  rmSync(file, { force: true });
  child.kill('SIGUSR2');
  for (;;) {
    // Half a file is none yet.
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
    if (text.endsWith('}')) return JSON.parse(text) as LoopPauses;
    await setTimeout(2);
  }
}

function loopFile(dir: string): string {
  return join(dir, 'loop');
}

/** Starts the daemon that a config was written for. */
export function startProgram({ args, dir, socket }: Config): Promise<Program> {
  return started(args, dir, socket);
}

export function writeConfig({ actors = 10, policy = '' }: DaemonOptions = {}): Config {
  const dir = scratch('daemon');
  const config = join(dir, 'config');
  mkdirSync(config, { mode: 0o700 });
  keyPair(join(config, 'ca_ed25519'));
  const limits = 'limits: { per_caller_rate: 100000/s, per_caller_concurrency: 4096 }';
  writeFileSync(join(config, 'warden.yaml'), `version: 1\nposture: test\n${limits}\n${policy}`, { mode: 0o600 });
  writeFileSync(join(config, 'inventory.yaml'), inventory(actors), { mode: 0o600 });
  const socket = join(dir, 'wardend.sock');
  const args = ['dist/wardend.mjs', '--config', config, '--socket', socket, '--state', join(dir, 'state')];
  return { dir, config, socket, args };
}

/** A bare grpc-js server that echoes: what anybody's gRPC sidecar costs before it does anything. */
export async function startEcho(): Promise<Program> {
  const dir = scratch('echo');
  const socket = join(dir, 'echo.sock');
  return started(['.cache/bench/echo-server.mjs', socket], dir, socket);
}

/** What a fetch cannot do without, and nothing else: see there. */
export async function startFloor(origin: string, path: string): Promise<Program> {
  const dir = scratch('floor');
  const socket = join(dir, 'floor.sock');
  return started(['.cache/bench/floor-server.mjs', socket, origin, path, join(dir, 'records')], dir, socket);
}

export async function startFlexAuth(dir: string, registry: string): Promise<{ url: string; child: ChildProcess }> {
  const child = spawn(
    process.execPath,
    [
      'dist/warden.cjs',
      'double',
      'flex-auth',
      '--addr',
      '127.0.0.1:0',
      '--registry',
      registry,
      '--policy',
      'examples/flex-auth/policy_package.md',
      '--log',
      join(dir, 'decisions.jsonl'),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const text = await firstMatch(child, /http:\/\/127\.0\.0\.1:\d+/);
  return { url: text, child };
}

async function firstMatch(child: ChildProcess, pattern: RegExp): Promise<string> {
  let seen = '';
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer): void => {
      seen += chunk;
      const match = pattern.exec(seen);
      if (match !== null) resolve(match[0]);
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready: ${seen}`)));
  });
}

/** The log goes to a file, as a service's does: reading it would be work for the process that measures. */
async function started(args: readonly string[], dir: string, socket: string): Promise<Program> {
  const log = join(dir, 'log');
  const fd = openSync(log, 'w', 0o600);
  const env = { ...process.env, WARDEN_BENCH_LOOP: loopFile(dir) };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', fd] });
  closeSync(fd);
  while (!(await answers(socket))) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}: ${readFileSync(log, 'utf8')}`);
    await setTimeout(2);
  }
  return {
    dir,
    socket,
    child,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
