import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, type Program, scratch, startProgram } from './programs.ts';
import type { Benchmark } from './stats.ts';

const ROUTES = `version: 1
routes:
  - id: bench
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: bench, fields: [token] } }
    exec_capable: true
    inject: [{ field: token, env: TOKEN }]
    actors: [ACTOR]
`;
const RUNS = 5;
const STREAM_BYTES = 128 * 1024 * 1024;

async function startExecDaemon(): Promise<Program & Config> {
  const dir = scratch('exec');
  const config = join(dir, 'config');
  const made = spawnSync(process.execPath, ['dist/warden.cjs', 'init', '--posture', 'dev', '--config', config]);
  if (made.status !== 0) throw new Error(`warden init: ${made.stderr}`);
  const actor = /name: (\S+)/.exec(readFileSync(join(config, 'inventory.yaml'), 'utf8'))?.[1] ?? '';
  writeFileSync(join(config, 'routes.yaml'), ROUTES.replace('ACTOR', actor), { mode: 0o600 });
  const limits = 'limits: { per_caller_rate: 100000/s, exec_output: 4GiB }';
  writeFileSync(join(config, 'warden.yaml'), `version: 1\nposture: dev\n${limits}\n`, { mode: 0o600 });
  const socket = join(dir, 'wardend.sock');
  const args = ['dist/wardend.mjs', '--config', config, '--socket', socket, '--state', join(dir, 'state')];
  const found: Config = { dir, config, socket, args };
  return { ...found, ...(await startProgram(found)) };
}

const execArgs = (socket: string, command: readonly string[]): string[] => [
  'dist/warden.cjs',
  'exec',
  '--socket',
  socket,
  '--route',
  'bench',
  '--',
  ...command,
];

/** What a command costs its user from key press to prompt, beside the same runtime that starts it directly. */
export const execTrue: Benchmark = {
  name: 'exec_true_over_spawn',
  unit: 'ms',
  baseline: 'node spawning true',
  aim: 'shown',
  async setUp() {
    const daemon = await startExecDaemon();
    const check = spawnSync(process.execPath, execArgs(daemon.socket, ['sh', '-c', 'test -n "$TOKEN" && exit 7']));
    if (check.status !== 7) throw new Error(`warden exec: ${check.stderr}`);
    const wall = (args: readonly string[]): number => {
      const began = performance.now();
      for (let i = 0; i < RUNS; i++) {
        const ran = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        if (ran.status !== 0) throw new Error(`${args.join(' ')}: ${ran.stderr}`);
      }
      return (performance.now() - began) / RUNS;
    };
    const direct = "process.exit(require('node:child_process').spawnSync('true', { stdio: 'inherit' }).status)";
    return {
      ours: async () => wall(execArgs(daemon.socket, ['true'])),
      baseline: async () => wall(['-e', direct]),
      tearDown: () => daemon.stop(),
    };
  },
};

/** Megabytes a second out of a command, masked, to a reader of a pipe; every byte is counted. */
export const execStream: Benchmark = {
  name: 'exec_stream_over_pipe',
  unit: 'per second',
  baseline: 'the command on a plain pipe, in MB',
  aim: 'shown',
  async setUp() {
    const daemon = await startExecDaemon();
    const source = ['head', '-c', String(STREAM_BYTES), '/dev/zero'];
    return {
      ours: () => throughput(process.execPath, execArgs(daemon.socket, source)),
      baseline: () => throughput('head', source.slice(1)),
      tearDown: () => daemon.stop(),
    };
  },
};

function throughput(file: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let bytes = 0;
    let began = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      // What came before the first byte is the other benchmark's.
      if (bytes === 0) began = performance.now();
      bytes += chunk.length;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      const seconds = (performance.now() - began) / 1000;
      if (code === 0 && bytes === STREAM_BYTES) resolve(bytes / 1e6 / seconds);
      else reject(new Error(`${file} ended with ${code} after ${bytes} bytes`));
    });
  });
}
