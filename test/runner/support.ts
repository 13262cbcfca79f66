import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type AttestedConnection, attest } from '../../daemon/attest.ts';

export const isRoot = process.getuid?.() === 0;
// Numbers that no account of a machine has.
export const CALLER = { uid: 54_421, gid: 54_431, groups: [54_441, 54_442] } as const;

export interface Ids {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** A folder that every user may enter. */
export function openFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'warden-runner-')));
  chmodSync(folder, 0o755);
  return folder;
}

export interface CallerProcess {
  readonly connection: AttestedConnection;
  /** The descriptor's owner: our side of the connection. */
  readonly socket: Socket;
  readonly pid: number;
  /** Ends the process. */
  end(): Promise<void>;
}

/** A listening socket like the daemon's, and processes that call it. Root's shell starts them, whoever we are by then. */
export class Callers {
  readonly path: string;
  readonly #server: Server;
  readonly #arrived: Socket[] = [];
  readonly #waiting: ((socket: Socket) => void)[] = [];
  readonly #shell: ChildProcess;

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
    this.#shell = spawn('/bin/sh', [], { stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' });
    server.on('connection', (socket) => {
      socket.on('error', () => {});
      const taker = this.#waiting.shift();
      if (taker === undefined) this.#arrived.push(socket);
      else taker(socket);
    });
  }

  static async listen(path: string): Promise<Callers> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(path);
    await once(server, 'listening');
    chmodSync(path, 0o777);
    return new Callers(path, server);
  }

  /** @param before shell words that run in the process before it calls: `umask 027; cd /tmp` */
  async call(ids: Ids | null, before = ':'): Promise<CallerProcess> {
    const script = `${before}; exec python3 -c 'import socket,sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.recv(1)' "$0"`;
    const become =
      ids === null
        ? ''
        : `setpriv --reuid ${ids.uid} --regid ${ids.gid} ${ids.groups.length === 0 ? '--clear-groups' : `--groups ${ids.groups.join(',')}`} -- `;
    this.#shell.stdin?.write(
      `PATH=/usr/local/bin:/usr/bin:/bin ${become}/bin/sh -c '${script.replaceAll("'", "'\\''")}' '${this.path}' </dev/null >/dev/null &\n`,
    );
    const socket = this.#arrived.shift() ?? (await new Promise<Socket>((resolve) => this.#waiting.push(resolve)));
    const connection = attest(socket);
    return {
      connection,
      socket,
      pid: connection.caller.pid,
      async end() {
        const gone = once(socket, 'close');
        socket.resume();
        socket.end();
        await gone;
        connection.close();
      },
    };
  }

  /** A line for root's shell: `kill -9 …`. */
  root(line: string): void {
    this.#shell.stdin?.write(`${line}\n`);
  }

  /** The same, and what it printed. */
  async rootSays(line: string): Promise<string> {
    let text = '';
    const stdout = this.#shell.stdout;
    if (stdout === null) throw new Error('stdout is a pipe');
    this.root(`${line}; echo ===`);
    for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
      text += String(chunk);
      if (text.endsWith('===\n')) break;
    }
    return text.slice(0, -'===\n'.length);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#shell.stdin?.end();
    await once(this.#shell, 'exit');
  }
}

/** Until a process has ended, reaped or not. @throws Error where it lives on */
export async function untilGone(pid: number): Promise<void> {
  const until = performance.now() + 20_000;
  while (lives(pid)) {
    if (performance.now() > until) throw new Error(`process ${pid} lives on`);
    await pause(20);
  }
}

export function lives(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
