import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { native } from '../../src/unix/native.ts';
import { bindNarrow, type ListenOptions, listen } from '../../src/unix/socket.ts';
import { anyonesPython, isRoot, python, start, tempDir } from './attest-fixture.ts';

const mode = (path: string) => lstatSync(path).mode & 0o7777;
const refusal = (code: string, message: string) => expect.objectContaining({ code, message });

/** A probe that has gone again is no failure. */
const greet = (text: string) => (socket: Socket) => {
  socket.on('error', () => {});
  socket.end(text);
};

async function open(path: string, options: Partial<ListenOptions> = {}) {
  const listener = await listen({
    path,
    mode: 0o600,
    group: null,
    onConnection: greet('hello'),
    ...options,
  });
  onTestFinished(() => listener.close());
  return listener;
}

/** What a client is told: what it read until the end, or the code of its error. */
function dial(path: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const client: Socket = connect(path);
    client.setEncoding('utf8').on('data', (data: string) => {
      text += data;
    });
    client.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    client.on('end', () => resolve(text));
  });
}

function withUmask(mask: number): void {
  const before = process.umask(mask);
  onTestFinished(() => {
    process.umask(before);
  });
}

describe('the socket', () => {
  it('answers, with the mode that was asked for whatever the umask', async () => {
    for (const [umask, wanted] of [
      [0o000, 0o600],
      [0o077, 0o660],
      [0o777, 0o666],
    ] as const) {
      withUmask(umask);
      const dir = tempDir();
      chmodSync(dir, 0o700);
      const { path } = await open(join(dir, 'w.sock'), { mode: wanted });
      expect(mode(path)).toBe(wanted);
      expect(await dial(path)).toBe('hello');
    }
  });

  it('is its owner’s alone and deaf at the moment in which its file appears', async () => {
    withUmask(0);
    const path = join(tempDir(), 'w.sock');
    const fd = bindNarrow(path, 0o666);
    onTestFinished(() => native().close(fd));
    expect(mode(path)).toBe(0o600);
    expect(await dial(path)).toBe('ECONNREFUSED');
  });

  it('is never made wider than configured, not even for its owner', () => {
    const path = join(tempDir(), 'w.sock');
    const fd = bindNarrow(path, 0o060);
    onTestFinished(() => native().close(fd));
    expect(mode(path)).toBe(0);
  });

  it.runIf(isRoot)(
    'has the group that was asked for, and lets its members in and nobody else (needs root)',
    async () => {
      const dir = join(tempDir(), 'run');
      mkdirSync(dir);
      chmodSync(dir, 0o755);
      chmodSync(join(dir, '..'), 0o755);
      const { path } = await open(join(dir, 'w.sock'), { mode: 0o660, group: 4243 });
      expect(lstatSync(path)).toMatchObject({ uid: 0, gid: 4243 });
      const as = async (groups: string) => {
        const script =
          'import socket, sys\ntry: socket.socket(socket.AF_UNIX).connect(sys.argv[1]); print("in")\nexcept OSError as e: print(e.strerror)';
        return start('setpriv', ['--reuid=4242', '--regid=4242', groups, anyonesPython, '-c', script, path]).line();
      };
      expect(await as('--groups=4243')).toBe('in');
      expect(await as('--clear-groups')).toBe('Permission denied');
    },
  );

  it('has its missing folder made for its owner alone', async () => {
    withUmask(0);
    const dir = join(tempDir(), 'run', 'warden');
    await open(join(dir, 'w.sock'));
    expect(mode(dir)).toBe(0o700);
  });

  it('takes the longest path that there is, and says no to one byte more', async () => {
    const dir = tempDir();
    const longest = join(dir, 's'.repeat(107 - dir.length - 1));
    await open(longest);
    expect(await dial(longest)).toBe('hello');
    await expect(open(`${longest}s`)).rejects.toThrow(
      refusal('config_invalid', `the socket path is 108 bytes long, and 107 are possible: ${longest}s`),
    );
    expect(readdirSync(dir).sort()).toEqual([longest.slice(dir.length + 1), `${longest.slice(dir.length + 1)}.lock`]);
  });

  it('counts bytes, not characters', async () => {
    const path = join(tempDir(), 'ß'.repeat(50));
    await expect(open(path)).rejects.toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  it('wants an absolute path', async () => {
    await expect(open('w.sock')).rejects.toThrow(refusal('config_invalid', 'the socket path "w.sock" is not absolute'));
  });

  it('refuses a folder that others can change', async () => {
    const dir = tempDir();
    chmodSync(dir, 0o770);
    const path = join(dir, 'w.sock');
    await expect(open(path)).rejects.toThrow(
      refusal('config_invalid', `the folder ${dir} can be changed by other users`),
    );
    expect(readdirSync(dir)).toEqual([]);
  });

  it('refuses a folder that is a link', async () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'real'), { mode: 0o700 });
    symlinkSync('real', join(dir, 'link'));
    await expect(open(join(dir, 'link', 'w.sock'))).rejects.toThrow(
      refusal('config_invalid', `the folder ${join(dir, 'link')} is a symbolic link`),
    );
  });

  it('refuses an open folder where it has to be private', async () => {
    const dir = tempDir();
    chmodSync(dir, 0o755);
    await expect(open(join(dir, 'w.sock'), { privateFolder: true })).rejects.toThrow(
      refusal('config_invalid', `the folder ${dir} is open to other users`),
    );
  });
});

describe('what is at the path already', () => {
  it('a file is kept', async () => {
    const path = join(tempDir(), 'w.sock');
    writeFileSync(path, 'precious');
    await expect(open(path)).rejects.toThrow(refusal('config_invalid', `${path} exists and is no socket`));
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  it('a link is kept, even one to a dead socket', async () => {
    const dir = tempDir();
    const fd = bindNarrow(join(dir, 'dead'), 0o600);
    native().close(fd);
    symlinkSync('dead', join(dir, 'w.sock'));
    await expect(open(join(dir, 'w.sock'))).rejects.toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(readdirSync(dir)).toContain('dead');
  });

  it('a live wardend’s socket is refused with its pid, and goes on', async () => {
    const { path } = await open(join(tempDir(), 'w.sock'));
    await expect(open(path)).rejects.toThrow(
      refusal('socket_in_use', `the socket ${path} is in use by the wardend with pid ${process.pid}`),
    );
    expect(await dial(path)).toBe('hello');
  });

  it('a live socket of something else is refused, and goes on', async () => {
    const path = join(tempDir(), 'w.sock');
    const other = createServer(greet('other'));
    await new Promise<void>((resolve) => other.listen(path, resolve));
    onTestFinished(() => {
      other.close();
    });
    await expect(open(path)).rejects.toThrow(
      refusal('socket_in_use', `the socket ${path} is in use by another daemon`),
    );
    expect(await dial(path)).toBe('other');
  });

  it('a live socket with a full backlog is refused', async () => {
    const path = join(tempDir(), 'w.sock');
    const script = [
      'import socket, sys',
      's = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)',
      'c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])',
      'print("full", flush=True); sys.stdin.readline()',
    ].join('\n');
    await start(python, ['-c', script, path]).line();
    await expect(open(path)).rejects.toThrow(expect.objectContaining({ code: 'socket_in_use' }));
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  it('a dead daemon’s socket is replaced', async () => {
    const path = join(tempDir(), 'w.sock');
    const script =
      'import socket, sys\ns = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(5); print("up", flush=True); sys.stdin.readline()';
    const dead = start(python, ['-c', script, path]);
    await dead.line();
    dead.child.kill('SIGKILL');
    await dead.exited;
    expect(await dial(path)).toBe('ECONNREFUSED');
    await open(path);
    expect(await dial(path)).toBe('hello');
  });

  it('a lock that a start failed with is free for the next', async () => {
    const path = join(tempDir(), 'w.sock');
    writeFileSync(path, '');
    await expect(open(path)).rejects.toThrow(expect.objectContaining({ code: 'config_invalid' }));
    unlinkSync(path);
    await open(path);
  });
});

describe('closing', () => {
  it('ends the listening, takes the file away and leaves open connections alone', async () => {
    let accepted: (socket: Socket) => void = () => {};
    const arrival = new Promise<Socket>((resolve) => {
      accepted = resolve;
    });
    const listener = await open(join(tempDir(), 'w.sock'), { onConnection: (socket) => accepted(socket) });
    const answer = dial(listener.path);
    const server = await arrival;
    await listener.close();
    expect(existsSync(listener.path)).toBe(false);
    server.end('still here');
    expect(await answer).toBe('still here');
    expect(await dial(listener.path)).toBe('ENOENT');
    await listener.close();
  });

  it('keeps a socket that somebody else has put there meanwhile', async () => {
    const listener = await open(join(tempDir(), 'w.sock'));
    unlinkSync(listener.path);
    const other = createServer(greet('other'));
    await new Promise<void>((resolve) => other.listen(listener.path, resolve));
    onTestFinished(() => {
      other.close();
    });
    await listener.close();
    expect(await dial(listener.path)).toBe('other');
  });
});
