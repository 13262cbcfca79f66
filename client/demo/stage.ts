import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Output } from '../output.ts';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Expected {
  readonly code: number;
  /** Must stand in what was printed. */
  readonly says?: RegExp;
}

const STEP_MS = 20_000;
const STOP_MS = 5_000;
const MAX_OUTPUT_BYTES = 256 * 1024;

/** Something in the demo was not as it must be. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

/** The temporary folder, the child processes and the screen of one demo. Leaves nothing behind. */
export class Stage {
  readonly folder: string;
  readonly env: Record<string, string>;
  readonly #out: Output;
  readonly #children: ChildProcess[] = [];
  readonly #undo: (() => void)[] = [];

  constructor(out: Output) {
    this.#out = out;
    this.folder = mkdtempSync(join(realpathSync(tmpdir()), 'warden-demo-'));
    // Nothing of the user's own setup: no agent, no config, no socket.
    this.env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: this.folder, LC_ALL: 'C.UTF-8', NO_COLOR: '1' };
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  say(text: string): void {
    this.#out.line({ text: `# ${text}`, style: 'dim' });
  }

  /** Shows `$ shown`, runs the program in the folder, shows what it printed. @throws DemoFailure unless as expected */
  async step(shown: string, program: readonly string[], expected: Expected): Promise<Outcome> {
    this.#out.line({ text: `$ ${shown}`, style: 'bold' });
    const outcome = await this.#run(program);
    const printed = `${outcome.stdout}${outcome.stderr}`;
    for (const line of printed.split('\n').filter((text) => text !== '')) this.#out.line(`  ${line}`);
    if (outcome.code !== expected.code) {
      throw new DemoFailure(`${shown}: exit code ${outcome.code ?? 'none'}, not ${expected.code}`);
    }
    if (expected.says !== undefined && !expected.says.test(printed)) {
      throw new DemoFailure(`${shown}: it did not say ${expected.says.source}`);
    }
    return outcome;
  }

  /** A program that goes on until the demo ends. Its output goes to a file descriptor. */
  start(program: readonly string[], log: number): ChildProcess {
    const [file = '', ...args] = program;
    const child = spawn(file, args, { cwd: this.folder, env: this.env, stdio: ['ignore', log, log] });
    child.on('error', () => {});
    this.#children.push(child);
    return child;
  }

  /** Something outside the folder that must be undone at the end. */
  afterwards(undo: () => void): void {
    this.#undo.push(undo);
  }

  /** Waits until `ready` holds; fails when the child ends first, or after a while. */
  async until(what: string, child: ChildProcess, ready: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + STEP_MS;
    while (performance.now() < end) {
      if (await ready()) return;
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
        throw new DemoFailure(`${what} ended with exit code ${child.exitCode ?? child.signalCode ?? 'none'}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new DemoFailure(`${what} was not ready within ${STEP_MS / 1000} s`);
  }

  /** Stops what was started, last first, and removes the folder. */
  async close(): Promise<void> {
    for (const child of this.#children.reverse()) await stop(child);
    this.#remove();
  }

  /** The same at once, for a process that is about to end. */
  closeNow(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    this.#remove();
  }

  #remove(): void {
    for (const undo of this.#undo) undo();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #run([file = '', ...args]: readonly string[]): Promise<Outcome> {
    return new Promise((resolve) => {
      const child = spawn(file, args, {
        cwd: this.folder,
        env: this.env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: STEP_MS,
      });
      const texts = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr'] as const) {
        child[name].setEncoding('utf8').on('data', (chunk: string) => {
          if (texts[name].length < MAX_OUTPUT_BYTES) texts[name] += chunk;
        });
      }
      child.on('error', (error) => resolve({ code: null, stdout: '', stderr: error.message }));
      child.on('close', (code) => resolve({ code, ...texts }));
    });
  }
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return resolve();
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    child.on('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
