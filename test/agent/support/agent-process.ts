import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { builtPrograms } from '../../support/built.ts';
import type { RunningDaemon } from '../../support/daemon.ts';

export interface WardenAgent {
  readonly socket: string;
  readonly pid: number;
  /** What it said on stderr so far. */
  readonly lines: readonly string[];
  /** Waits for a line with this text (one that came already included). Rejects where the agent ends without it. */
  heard(text: string): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface AgentOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly through?: readonly string[];
  readonly socket?: string;
}

let made = 0;

/** A real `warden agent` that listens. @throws with what it said where it does not come to that */
export async function startWardenAgent(daemon: RunningDaemon, options: AgentOptions = {}): Promise<WardenAgent> {
  const { args = ['--actor', 'adm-tester'], env = {}, through = [] } = options;
  const socket = options.socket ?? join(daemon.house.folder, 'agents', `${++made}`, 's');
  mkdirSync(dirname(dirname(socket)), { recursive: true, mode: 0o700 });
  const words = [...through, process.execPath, builtPrograms().warden, 'agent', '--listen', socket, ...args];
  const [file = '', ...rest] = words;
  const child = spawn(file, rest, {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: daemon.house.folder,
      WARDEN_SOCKET: daemon.socket,
      XDG_CACHE_HOME: '/proc',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const agent = new Running(socket, child);
  await agent.listening;
  return agent;
}

class Running implements WardenAgent {
  readonly socket: string;
  readonly pid: number;
  readonly lines: string[] = [];
  readonly listening: Promise<void>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly #hearing = new Set<(line: string) => void>();

  constructor(socket: string, child: ChildProcess) {
    this.socket = socket;
    this.pid = child.pid ?? 0;
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.on('error', () => resolve(null));
      child.on('close', (code) => resolve(code));
    });
    if (child.stdout === null || child.stderr === null) throw new Error('there are pipes');
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.lines.push(line);
      for (const hear of this.#hearing) hear(line);
    });
    const out = createInterface({ input: child.stdout });
    this.listening = new Promise((resolve, reject) => {
      out.once('line', () => resolve());
      this.#ended.then((code) => reject(new Error(`warden agent ended with ${code}: ${this.lines.join('\n')}`)));
    });
  }

  heard(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const past = this.lines.find((line) => line.includes(text));
      if (past !== undefined) {
        resolve(past);
        return;
      }
      const hear = (line: string): void => {
        if (!line.includes(text)) return;
        this.#hearing.delete(hear);
        resolve(line);
      };
      this.#hearing.add(hear);
      this.#ended.then((code) => reject(new Error(`warden agent ended with ${code}: ${this.lines.join('\n')}`)));
    });
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.kill(signal);
    return this.#ended;
  }
}
