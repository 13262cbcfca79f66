import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';
import { type AttestedConnection, attest } from '../../daemon/attest.ts';
import { listen } from '../../src/unix/socket.ts';

const here = fileURLToPath(new URL('.', import.meta.url));
export const fixture = (name: string) => join(here, 'fixtures', name);

/** The interpreter itself: what `python3` names may be a link or a script around it. */
export const python = execFileSync('python3', ['-c', 'import os, sys; print(os.path.realpath(sys.executable))'], {
  encoding: 'utf8',
}).trim();

/** One that other users reach too: an interpreter of root's own may lie in root's closed home. */
export const anyonesPython = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : python;

export const isRoot = process.getuid?.() === 0;

/** A folder of the test's own, gone when the test is. */
export function tempDir(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'warden-test-')));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A child whose output is read by the line, ended with the test. */
export function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child: ChildProcessWithoutNullStreams = spawn(command, args, { env, stdio: 'pipe' });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  // Not `close`: a grandchild may hold the pipes for longer.
  const exited = once(child, 'exit').catch(() => []);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  return {
    child,
    exited,
    say: (line: string) => child.stdin.write(`${line}\n`),
    /** The next line; a child that ended instead fails the test with what it had to say. */
    async line(): Promise<string> {
      const next = await lines.next();
      if (next.done === true) throw new Error(`${command} ended: ${stderr}`);
      return next.value;
    },
  };
}

/** A caller that has connected, as whoever `prefix` makes of it (`setpriv …`, `unshare …`). */
export async function startCaller(path: string, prefix: readonly string[] = [], program = python) {
  const [command = program, ...args] = [...prefix, program, fixture('caller.py'), path];
  const caller = start(command, args);
  await caller.line();
  return caller;
}

/** A listener in this very process, and its connections in the order of their accept. */
export async function door(options: { mode?: number } = {}) {
  const path = join(tempDir(), 'd.sock');
  const waiting: ((result: AttestedConnection | Error) => void)[] = [];
  const arrived: (AttestedConnection | Error)[] = [];
  const listener = await listen({
    path,
    mode: options.mode ?? 0o600,
    group: null,
    onConnection: (socket) => {
      let result: AttestedConnection | Error;
      try {
        const connection = attest(socket);
        socket.once('close', () => connection.close());
        result = connection;
      } catch (error) {
        result = error instanceof Error ? error : new Error(String(error));
      }
      onTestFinished(() => {
        socket.destroy();
      });
      const taker = waiting.shift();
      if (taker === undefined) arrived.push(result);
      else taker(result);
    },
  });
  onTestFinished(() => listener.close());
  /** What became of the next connection: its attestation, or the error. */
  const outcome = () =>
    new Promise<AttestedConnection | Error>((resolve) => {
      const result = arrived.shift();
      if (result === undefined) waiting.push(resolve);
      else resolve(result);
    });
  return {
    path,
    outcome,
    async next(): Promise<AttestedConnection> {
      const result = await outcome();
      if (result instanceof Error) throw result;
      return result;
    },
  };
}

/** A fixture in TypeScript as one file that a bare node runs. */
export async function bundle(name: string, outfile: string): Promise<string> {
  await build({
    entryPoints: [fixture(name)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['koffi'],
    logLevel: 'error',
  });
  return outfile;
}

/** Node finds koffi from wherever the bundle lies. */
export const bundleEnv = { ...process.env, NODE_PATH: fileURLToPath(new URL('../../node_modules', import.meta.url)) };
