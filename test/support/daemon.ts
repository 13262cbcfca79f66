import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { builtPrograms } from './built.ts';
import { makeCaKey } from './ca-key.ts';
import { holdNoCore, holdNoSecret, holdNoSecretIn, holdNoSecretOf } from './canary.ts';

export interface DaemonFiles {
  /** warden.yaml; by default the dev posture with the CA key that is made for it. */
  readonly warden?: string;
  readonly inventory?: string;
}

export interface DaemonOptions extends DaemonFiles {
  /** A folder made by `makeHouse` (also to start again in the same one). */
  readonly house?: House;
  readonly env?: Readonly<Record<string, string>>;
  /** In front of the command line: `setpriv --reuid=…`. */
  readonly through?: readonly string[];
  /** Another copy of wardend: one that other users can run. */
  readonly program?: string;
  readonly args?: readonly string[];
}

/** Folders of one daemon, under one temporary folder. */
export interface House {
  readonly folder: string;
  readonly config: string;
  readonly state: string;
  readonly socket: string;
  remove(): void;
}

export const DEV_WARDEN = 'version: 1\nposture: dev\n';

/** One agent and one administrator for whoever runs the tests; one agent for someone else. */
export function plainInventory(uid: number = process.getuid?.() ?? 0): string {
  return `version: 1
actors:
  - { name: adm-tester, type: adm, principals: [tester], ttl_hours: 8, max_ttl_hours: 24, callers: [{ uid: ${uid} }] }
  - { name: agt-test, type: agt, principals: [agt-test, agt-other], ttl_hours: 1, max_ttl_hours: 8, callers: [{ uid: ${uid} }] }
  - { name: agt-foreign, type: agt, principals: [agt-foreign], callers: [{ uid: ${uid + 4242} }] }
`;
}

export function makeHouse(files: DaemonFiles = {}): House {
  const folder = mkdtempSync(join(tmpdir(), 'warden-test-'));
  const house: House = {
    folder,
    config: join(folder, 'config'),
    state: join(folder, 'state'),
    socket: join(folder, 'run', 'wardend.sock'),
    remove: () => {
      try {
        holdNoSecretIn(house.state);
        holdNoCore(folder);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  };
  mkdirSync(house.config, { mode: 0o700 });
  mkdirSync(house.state, { mode: 0o700 });
  writeConfig(house, files);
  makeCaKey(join(house.config, 'ca_ed25519'), 'synthetic-ca-test');
  return house;
}

/** Puts config files in force for the next start or reload. */
export function writeConfig(house: House, { warden = DEV_WARDEN, inventory = plainInventory() }: DaemonFiles): void {
  writeFileSync(join(house.config, 'warden.yaml'), warden, { mode: 0o600 });
  writeFileSync(join(house.config, 'inventory.yaml'), inventory, { mode: 0o600 });
}

export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface RunningDaemon {
  readonly house: House;
  readonly socket: string;
  readonly state: string;
  readonly pid: number;
  /** Every line of stderr so far, as text. */
  readonly stderr: readonly string[];
  /** Waits for a log line (one that came already included). Rejects where the daemon ends without it. */
  waitForLog(wanted: (line: LogLine) => boolean): Promise<LogLine>;
  signal(signal: NodeJS.Signals): void;
  /** Stops it (SIGTERM) and resolves to its exit code; null after a signal. The house stays. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** A daemon that ended before it was ready. */
export class DaemonEnded extends Error {
  override readonly name = 'DaemonEnded';
  readonly code: number | null;
  readonly stderr: string;

  constructor(code: number | null, stderr: string) {
    super(`wardend ended with ${code}: ${stderr}`);
    this.code = code;
    this.stderr = stderr;
  }
}

/** A real wardend, started from the bundle and ready: it says so itself. @throws DaemonEnded */
export async function startDaemon(options: DaemonOptions = {}): Promise<RunningDaemon> {
  const { env = {}, through = [], program = builtPrograms().wardend, args: more = [] } = options;
  const house = options.house ?? makeHouse(options);
  const command = [
    process.execPath,
    program,
    ...more,
    '--config',
    house.config,
    '--socket',
    house.socket,
    '--state',
    house.state,
  ];
  const [file = '', ...args] = [...through, ...command];
  const child = spawn(file, args, {
    cwd: house.folder,
    env: { PATH: process.env.PATH ?? '', HOME: house.folder, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const running = new Running(house, child);
  await running.waitForLog(({ msg }) => msg === 'ready');
  return running;
}

class Running implements RunningDaemon {
  readonly house: House;
  readonly socket: string;
  readonly state: string;
  readonly pid: number;
  readonly stderr: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #waiting = new Set<(line: LogLine) => void>();

  constructor(house: House, child: ChildProcess) {
    this.house = house;
    this.socket = house.socket;
    this.state = house.state;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.on('error', () => resolve(null));
      child.on('close', (code) => resolve(code));
    });
    if (child.stderr === null) throw new Error('stderr is a pipe');
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.stderr.push(line);
      for (const hear of this.#waiting) hear(parse(line));
    });
  }

  waitForLog(wanted: (line: LogLine) => boolean): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const past = this.stderr.map(parse).find(wanted);
      if (past !== undefined) {
        resolve(past);
        return;
      }
      const hear = (line: LogLine): void => {
        if (!wanted(line)) return;
        this.#waiting.delete(hear);
        resolve(line);
      };
      this.#waiting.add(hear);
      this.#ended.then((code) => reject(new DaemonEnded(code, this.stderr.join('\n'))));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    try {
      holdNoSecretOf(this.pid);
    } finally {
      this.#child.kill(signal);
      await this.#ended;
    }
    holdNoSecret(this.stderr.join('\n'), 'the log');
    return this.#ended;
  }
}

function parse(line: string): LogLine {
  try {
    const value: unknown = JSON.parse(line);
    if (value !== null && typeof value === 'object' && 'msg' in value) return value as LogLine;
  } catch {
    // Not every line is a log line: errors at start are written for people.
  }
  return { msg: line };
}
