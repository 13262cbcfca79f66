import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    this.#shell = spawn('/bin/sh', [], { stdio: ['pipe', 'ignore', 'inherit'], cwd: '/' });
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
      `PATH=/usr/local/bin:/usr/bin:/bin ${become}/bin/sh -c '${script.replaceAll("'", "'\\''")}' '${this.path}' </dev/null &\n`,
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

  async close(): Promise<void> {
    this.#server.close();
    this.#shell.stdin?.end();
    await once(this.#shell, 'exit');
  }
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
