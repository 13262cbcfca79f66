import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { sshKeygenOk } from './ssh-keygen.ts';

const SSHD = '/usr/sbin/sshd';
const SSH = '/usr/bin/ssh';
/** sshd as root wants this folder; packages make it at boot, containers often lack it. */
const PRIVSEP_FOLDER = '/run/sshd';
/** A login takes a fifth of a second: beyond this something hangs. */
const LOGIN_DEADLINE_MS = 30_000;
const SSHD_DEADLINE_MS = 10_000;
const MAX_OUTPUT = 1024 * 1024;
const HOST = 'host.test';

export interface SshdOptions {
  /** Lines of TrustedUserCAKeys. */
  readonly trusts: readonly string[];
  /** Lines of AuthorizedPrincipalsFile for the user who runs the tests. */
  readonly principals: readonly string[];
  /** Further lines of sshd_config. */
  readonly config?: readonly string[];
}

export interface LoginOptions {
  /** The private key's file. */
  readonly key: string;
  /** The certificate's file. */
  readonly certificate: string;
  /** What ssh asks the host to run; a shell reads it there. */
  readonly command?: string;
  /** Further options of ssh. */
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Login {
  /** Of ssh: the command's, or 255 where there was no login. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** What sshd logged of this login alone, at level VERBOSE. */
  readonly log: string;
}

export interface ListeningSshd {
  readonly port: number;
  /** The name in `knownHosts`, for HostKeyAlias. */
  readonly alias: string;
  readonly knownHosts: string;
  /** What all logins logged, once their clients are gone. */
  close(): Promise<string>;
}

export const LOGIN_USER = userInfo().username;

/**
 * A host that trusts certificate authorities and nothing else: no passwords, no listed keys. There is no server
 * process: each login gets a real sshd of its own (`sshd -i`, as from inetd) on a loopback connection. So no port is
 * chosen that someone else may have taken, each login has its own log, and nothing is left running.
 */
export class Sshd {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async make(options: SshdOptions): Promise<Sshd> {
    for (const [program, of] of [
      [SSHD, 'openssh-server'],
      [SSH, 'openssh-client'],
    ] as const) {
      if (!existsSync(program)) throw new Error(`these tests log in for real and ${program} is missing: install ${of}`);
    }
    const host = new Sshd(mkdtempSync(join(tmpdir(), 'warden-sshd-')));
    await sshKeygenOk(['-q', '-t', 'ed25519', '-N', '', '-C', HOST, '-f', host.#path('host_key')]);
    writeFileSync(host.#path('known_hosts'), `${HOST} ${readFileSync(host.#path('host_key.pub'), 'utf8')}`);
    mkdirSync(host.#path('home'));
    host.trust(options.trusts);
    writeFileSync(host.#path('principals'), lines(options.principals));
    writeFileSync(host.#path('sshd_config'), lines([...host.#config(), ...(options.config ?? [])]));
    return host;
  }

  /** Puts other lines into TrustedUserCAKeys, as an administrator would who rolls a CA. */
  trust(authorities: readonly string[]): void {
    writeFileSync(this.#path('user_ca.pub'), lines(authorities));
  }

  /** Logs in with the real ssh as the user who runs the tests. Resolves once both ends are gone. */
  async login(login: LoginOptions): Promise<Login> {
    const host = await this.listen();
    let ended: Omit<Login, 'log'>;
    try {
      ended = await this.#ssh(login, host.port);
    } catch (error) {
      // What sshd still says is of no use then, and may never end.
      void host.close().catch(() => undefined);
      throw error;
    }
    return { ...ended, log: await host.close() };
  }

  /** Serves any number of logins on a port of its own, for the clients that a test starts itself. */
  async listen(): Promise<ListeningSshd> {
    const server = createServer({ pauseOnConnect: true });
    const served: Promise<string>[] = [];
    server.on('connection', (socket) => served.push(this.#serve(socket)));
    await new Promise<void>((resolve, reject) => {
      server.on('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the listener has no port');
    return {
      port: address.port,
      alias: HOST,
      knownHosts: this.#path('known_hosts'),
      close: async () => {
        server.close();
        return (await Promise.all(served)).join('');
      },
    };
  }

  /** The .pub file of its host key. */
  get hostKey(): string {
    return this.#path('host_key.pub');
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(socket: Socket): Promise<string> {
    // Each time, since someone's clean-up may have taken it away.
    if (process.getuid?.() === 0) mkdirSync(PRIVSEP_FOLDER, { mode: 0o755, recursive: true });
    const child = spawn(SSHD, ['-i', '-e', '-f', this.#path('sshd_config')], {
      stdio: [socket, socket, 'pipe'],
      env: {},
    });
    const ended = collect(child, LOGIN_DEADLINE_MS + SSHD_DEADLINE_MS);
    // The child has its own copy of the connection; ours would keep it open.
    socket.destroy();
    return (await ended).stderr;
  }

  #ssh(login: LoginOptions, port: number): Promise<Omit<Login, 'log'>> {
    const { key, certificate, command = 'echo ok', options = [], env = {} } = login;
    const settings = {
      BatchMode: 'yes',
      ConnectTimeout: '10',
      GlobalKnownHostsFile: 'none',
      UserKnownHostsFile: this.#path('known_hosts'),
      StrictHostKeyChecking: 'yes',
      HostKeyAlias: HOST,
      IdentitiesOnly: 'yes',
      IdentityFile: key,
      CertificateFile: certificate,
    };
    const given = Object.entries(settings).map(([name, value]) => `-o${name}=${value}`);
    // ssh takes the first value it is given for a setting: the test's own come first.
    const args = ['-F', 'none', ...options, ...given, '-p', String(port), `${LOGIN_USER}@127.0.0.1`, command];
    const child = spawn(SSH, args, {
      cwd: this.#folder,
      env: { PATH: process.env.PATH ?? '', HOME: this.#folder, LC_ALL: 'C.UTF-8', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return collect(child, LOGIN_DEADLINE_MS);
  }

  #config(): string[] {
    return [
      `HostKey ${this.#path('host_key')}`,
      `TrustedUserCAKeys ${this.#path('user_ca.pub')}`,
      `AuthorizedPrincipalsFile ${this.#path('principals')}`,
      'AuthorizedKeysFile none',
      'AuthenticationMethods publickey',
      'PermitRootLogin prohibit-password',
      'UsePAM no',
      // The folder lies under the temporary one, which others may write to.
      'StrictModes no',
      'PidFile none',
      'PermitUserRC no',
      // Not that of whoever runs the tests: a shell over there would read their .bashrc, and what that says or does
      // (shims rebuilt by several logins at once, say) would be the login's.
      `SetEnv HOME=${this.#path('home')}`,
      'PrintMotd no',
      'PrintLastLog no',
      'UseDNS no',
      'LoginGraceTime 20',
      'LogLevel VERBOSE',
    ];
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function lines(list: readonly string[]): string {
  return list.map((line) => `${line}\n`).join('');
}

/** Output and exit code once the program is gone and its pipes are closed. Past the deadline it is killed. */
function collect(child: ChildProcess, deadlineMs: number): Promise<Omit<Login, 'log'>> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      if (texts[name].length < MAX_OUTPUT) texts[name] += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${child.spawnfile} did not end within ${deadlineMs} ms: ${texts.stderr}`));
    }, deadlineMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      // Both programs end their lines on stderr as a raw terminal wants it.
      resolve({ code, stdout: texts.stdout, stderr: texts.stderr.replaceAll('\r', '') });
    });
  });
}
