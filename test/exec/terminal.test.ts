import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { LOGIN_USER, Sshd } from '../support/sshd.ts';
import { Tmux } from '../support/tmux.ts';
import { execDaemon } from './support.ts';

const WITH = '$EXEC --route plain --';

let daemon: RunningDaemon;
let terminal: Tmux;
let folder: string;
beforeAll(async () => {
  daemon = await execDaemon();
  folder = mkdtempSync(join(tmpdir(), 'warden-terminal-'));
  terminal = new Tmux(
    { columns: 100, rows: 30 },
    {
      WARDEN_SOCKET: daemon.socket,
      EXEC: `${process.execPath} -- ${builtPrograms().warden} exec`,
    },
  );
  await terminal.shows(/[#$]$/m);
});
afterAll(async () => {
  await terminal?.close();
  await daemon?.stop();
  daemon?.house.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

let typed = 0;
/** Types a command of the outer shell on a clean screen; `ends` waits for the end of this very one. */
function type(line: string): void {
  typed += 1;
  terminal.type(`clear; ${line}; echo "code ${typed}=$?"`);
}
const ends = (code: number): Promise<string> => terminal.shows(new RegExp(`code ${typed}=${code}$`, 'm'));
const key = (name: string): void => terminal.type(name, { enter: false });

describe('$ warden exec at a real terminal', () => {
  test('bash: size, masked output, job control, resize, exit code, and the terminal as it was', async () => {
    type(`${WITH} env PS1='inner> ' bash --norc --noprofile`);
    await terminal.shows(/inner>$/m);
    terminal.type('stty size; echo "it is $TOKEN"; tty');
    expect(await terminal.shows(/\/dev\/pts\/\d+\n/)).toMatch(/^30 100\nit is \[masked:plain\]\n\/dev\/pts\//m);
    // Each key waits until it can only mean this job.
    terminal.type(`clear; sh -c 'trap "echo again" CONT; echo sleeps; while :; do sleep 0.05; done'`);
    await terminal.shows(/^sleeps$/m);
    key('C-z');
    await terminal.shows(/Stopped/);
    terminal.type('fg');
    await terminal.shows(/^again$/m);
    key('C-c');
    terminal.type('echo "job $?"');
    await terminal.shows(/^job 130$/m);
    terminal.type('clear; stty size');
    await terminal.shows(/^30 100$/m);
    terminal.resize(80, 24);
    // A size comes by a signal, and what is typed by itself: which of them is first is nobody's promise.
    terminal.type('clear; until [ "$(stty size)" = "24 80" ]; do sleep 0.05; done; stty size');
    await terminal.shows(/^24 80$/m);
    terminal.resize(100, 30);
    terminal.type('exit 3');
    await ends(3);
    type('stty -a | tr " " "\\n" | grep -cxE "icanon|echo|isig"');
    await terminal.shows(/^3$/m);
  });

  test.each([
    ['Ctrl-C', 'C-c', 130],
    ['Ctrl-\\', 'C-\\', 131],
  ])('%s reaches a command that is no shell', async (_name, name, code) => {
    type(`${WITH} sh -c 'echo runs ${code}; exec sleep 1000'`);
    await terminal.shows(new RegExp(`^runs ${code}$`, 'm'));
    key(name);
    await ends(code);
  });

  test('the end of input, typed', async () => {
    type(`${WITH} cat`);
    terminal.type('typed');
    await terminal.shows(/^typed\ntyped$/m);
    key('C-d');
    await ends(0);
  });

  test('vim edits a file', async () => {
    const file = join(folder, 'edited');
    type(`${WITH} vim.tiny -u NONE ${file}`);
    await terminal.shows(/^~$/m);
    terminal.type('ihello from vim', { enter: false });
    key('Escape');
    await terminal.shows(/^hello from vim\n~/m);
    terminal.type(':wq');
    await ends(0);
    expect(readFileSync(file, 'utf8')).toBe('hello from vim\n');
  });

  test('less pages, top redraws', async () => {
    const file = join(folder, 'lines');
    writeFileSync(file, Array.from({ length: 500 }, (_, i) => `line ${i + 1}\n`).join(''));
    type(`${WITH} less ${file}`);
    await terminal.shows(/^line 29$/m);
    key('G');
    await terminal.shows(/^line 500$/m);
    key('q');
    await ends(0);
    type(`${WITH} top -d 1`);
    await terminal.shows(/load average/);
    await terminal.shows(/ PID +USER/);
    key('q');
    await ends(0);
  });

  test('a passphrase is asked for and not echoed', async () => {
    const secret = join(folder, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-C', 'x', '-f', secret]);
    type(`${WITH} ssh-keygen -y -f ${secret}`);
    await terminal.shows(/Enter passphrase/);
    terminal.type('open sesame');
    const screen = await ends(0);
    expect(screen).toContain('ssh-ed25519 AAAA');
    expect(screen).not.toContain('sesame');
  });

  test('ssh: a terminal over there, which has the value, masked here, and the exit code from there', async () => {
    const at = (name: string): string => join(folder, name);
    const keygen = (...args: string[]) => execFileSync('ssh-keygen', ['-q', ...args], { stdio: 'pipe' });
    for (const name of ['ca', 'login']) keygen('-t', 'ed25519', '-N', '', '-C', name, '-f', at(name));
    keygen('-s', at('ca'), '-I', 'test', '-n', 'tester', at('login.pub'));
    const host = await Sshd.make({
      trusts: [readFileSync(at('ca.pub'), 'utf8').trim()],
      principals: ['tester'],
      config: ['AcceptEnv TOKEN'],
    });
    const sshd = await host.listen();
    try {
      const config = {
        ...{ HostName: '127.0.0.1', Port: sshd.port, User: LOGIN_USER, HostKeyAlias: sshd.alias },
        ...{ UserKnownHostsFile: sshd.knownHosts, GlobalKnownHostsFile: 'none', StrictHostKeyChecking: 'yes' },
        ...{ IdentityFile: at('login'), CertificateFile: at('login-cert.pub'), IdentitiesOnly: 'yes' },
        ...{ IdentityAgent: 'none', SendEnv: 'TOKEN' },
      };
      const lines = Object.entries(config).map(([name, value]) => `${name} ${value}\n`);
      writeFileSync(at('ssh_config'), `Host far\n${lines.join('')}`);
      type(
        `${WITH} ssh -q -t -F ${at('ssh_config')} far 'stty size; echo "far $TOKEN"; read x; echo "got $x"; exit 5'`,
      );
      await terminal.shows(/^30 100\nfar \[masked:plain\]$/m);
      terminal.type('typed');
      expect(await ends(5)).toMatch(/^typed\ngot typed$/m);
    } finally {
      await sshd.close();
      host.remove();
    }
  });

  test('what is shown is what the command’s terminal shows, byte for byte', () => {
    // A terminal whose other end writes down all that it gets.
    const spawned = 'import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)';
    const command = ['sh', '-c', 'printf "one\\ntwo\\n"; stty -opost; printf "three\\nfour\\r\\n"; exit 8'];
    const argv = [process.execPath, '--', builtPrograms().warden, 'exec', '--route', 'plain', '--', ...command];
    const env = { PATH: process.env.PATH, WARDEN_SOCKET: daemon.socket, HOME: '/nonexistent', TERM: 'xterm' };
    const { stdout, status } = spawnSync('python3', ['-c', spawned, ...argv], { env, encoding: 'latin1' });
    expect({ stdout, status }).toEqual({ stdout: 'one\r\ntwo\r\nthree\nfour\r\n', status: 8 });
  });

  test('a refusal leaves the terminal alone', async () => {
    type('$EXEC --route nonesuch -- bash');
    expect(await ends(125)).toContain('route_not_allowed');
    type('stty -a | tr " " "\\n" | grep -cxE "icanon|echo|isig"');
    await terminal.shows(/^3$/m);
  });

  test('a value on stdin leaves no room for a terminal', async () => {
    type('$EXEC --route by-stdin -- cat');
    expect(await ends(125)).toContain('leaves no room for a terminal');
    type('$EXEC --route by-stdin --no-stdin -- cat');
    expect(await ends(0)).toContain('[masked:by-stdin]');
  });

  test('in the background, one that has no terminal on stdout is not stopped for its stdin', async () => {
    type(`(set -m; ${WITH} echo done > ${folder}/out & wait $!)`);
    await ends(0);
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('done\n');
  });

  test('without a terminal of its own a command stops and continues with the client', async () => {
    terminal.type(`clear; exec env PS1='jobs> ' bash --norc --noprofile`);
    await terminal.shows(/jobs>$/m);
    terminal.type(`clear; ${WITH} sh -c 'echo up >&2; sleep 1; echo over' | cat`);
    await terminal.shows(/^up$/m);
    key('C-z');
    await terminal.shows(/Stopped/);
    terminal.type('fg');
    await terminal.shows(/^over$/m);
  });
});
