import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Shell } from './shell.ts';

const NAME = 'ada';
const UID = 61_235;

/**
 * Someone who follows the documentation: an unprivileged user of this machine with a login shell and an empty home,
 * known to nobody but this test (a mount namespace with one line more in /etc/passwd). Root makes such users.
 */
export class Reader {
  readonly name = NAME;
  readonly uid = UID;
  readonly home: string;
  readonly #folder: string;
  readonly #shells: Shell[] = [];

  constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'warden-reader-'));
    chmodSync(this.#folder, 0o755);
    this.home = join(this.#folder, NAME);
    this.folder('.', 0o755);
    this.folder('run', 0o700);
    const passwd = readFileSync('/etc/passwd', 'utf8').replace(/\n*$/, '\n');
    writeFileSync(join(this.#folder, 'passwd'), `${passwd}${NAME}:x:${UID}:${UID}::${this.home}:/bin/sh\n`);
  }

  /** A folder in the home. */
  folder(name: string, mode: number): string {
    const path = join(this.home, name);
    mkdirSync(path, { recursive: true, mode });
    chmodSync(path, mode);
    chownSync(path, UID, UID);
    return path;
  }

  /** A file in the home. */
  file(name: string, text: string, mode = 0o600): string {
    const path = join(this.home, name);
    writeFileSync(path, text, { mode });
    chmodSync(path, mode);
    chownSync(path, UID, UID);
    return path;
  }

  /** A bash of the reader's, in the home. `bin` comes first in PATH. */
  shell(bin: string): Shell {
    const enter = 'mount --make-rprivate / && mount --bind "$0" /etc/passwd && exec "$@"';
    const become = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', 'bash', '--norc'];
    const command = ['unshare', '--mount', 'sh', '-c', enter, join(this.#folder, 'passwd'), ...become];
    const env = {
      PATH: `${bin}:${process.env.PATH}:/usr/sbin`,
      HOME: this.home,
      USER: NAME,
      XDG_RUNTIME_DIR: join(this.home, 'run'),
      LC_ALL: 'C.UTF-8',
      NO_COLOR: '1',
    };
    const shell = new Shell(command, { cwd: this.home, env });
    this.#shells.push(shell);
    return shell;
  }

  /** Ends everything that the reader started, and removes the home. */
  async leave(): Promise<void> {
    for (const shell of this.#shells) await shell.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
