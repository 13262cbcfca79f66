import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { attest } from '../../daemon/attest.ts';
import { executableIndex } from '../../daemon/executable-index.ts';
import { matches } from '../../src/callers/match.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { native } from '../../src/unix/native.ts';
import { anyonesPython, door, isRoot, python, startCaller, tempDir } from './attest-fixture.ts';

const identity = (path: string) => {
  const { dev, ino } = statSync(path, { bigint: true });
  return { dev, ino };
};
const facts = { executables: executableIndex, exeSha256: null };
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--groups=65534,100,101'];

/** Answered by the kernel when the process is gone: nothing to sleep for. */
async function untilGone(check: () => string): Promise<string> {
  for (;;) {
    const state = check();
    if (state !== 'alive') return state;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('an attested caller', () => {
  it('is the process that connected: ids, executable, and no unit outside of systemd', async () => {
    const { path, next } = await door();
    const { child } = await startCaller(path);
    const { caller, check } = await next();
    expect(caller).toMatchObject({
      uid: process.getuid?.(),
      gid: process.getgid?.(),
      pid: child.pid,
      exe: python,
      exeFile: identity(python),
    });
    expect(caller).not.toHaveProperty('unmapped');
    expect(check()).toBe('alive');
  });

  it.runIf(isRoot)('of another uid is known by it and by its supplementary groups (needs root)', async () => {
    const { path, next } = await door({ mode: 0o666 });
    // The folder of the socket is 0700: the connection is made by root, the ids are taken on before.
    execFileSync('chmod', ['711', join(path, '..')]);
    await startCaller(path, NOBODY, anyonesPython);
    const { caller } = await next();
    expect(caller).toMatchObject({ uid: 65534, gid: 65534, groups: [100, 101, 65534] });
    expect(matches({ uid: 65534, gid: 101 }, caller, facts)).toBe(true);
    expect(matches({ uid: 0 }, caller, facts)).toBe(false);
  });

  it.runIf(isRoot)('with more groups than fit at first is known by all (needs root)', async () => {
    const { path, next } = await door();
    const many = Array.from({ length: 300 }, (_, i) => 20_000 + i);
    await startCaller(path, ['setpriv', `--groups=${many.join()}`]);
    expect((await next()).caller.groups).toEqual(many);
  });

  it('that has exited before the accept is refused', async () => {
    const { path, outcome } = await door();
    // The event loop stands still until the client is gone; only then is its connection accepted.
    spawnSync(python, ['-c', 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])', path]);
    const error = await outcome();
    expect(error).toBeInstanceOf(WardenError);
    expect(error).toMatchObject({ code: 'caller_gone', message: 'the calling process has exited' });
  });

  it('that dies is gone', async () => {
    const { path, next } = await door();
    const { child } = await startCaller(path);
    const { check } = await next();
    child.kill('SIGKILL');
    expect(await untilGone(check)).toBe('gone');
  });

  it('that hands its connection to a child and exits is gone', async () => {
    const { path, next } = await door();
    const caller = await startCaller(path);
    const { check } = await next();
    caller.say('leave');
    const heir = Number(await caller.line());
    onTestFinished(() => {
      process.kill(heir, 'SIGKILL');
    });
    expect(await untilGone(check)).toBe('gone');
  });

  it('that executes another program has changed, though pid and connection are the same', async () => {
    const { path, next } = await door();
    const caller = await startCaller(path);
    const { check, exeSha256 } = await next();
    caller.say('exec /bin/sleep 600');
    expect(await untilGone(check)).toBe('changed');
    expect(await exeSha256()).toBeNull();
  });

  it('after close is gone, and the pidfd has been given back', async () => {
    const { path, next } = await door();
    await startCaller(path);
    const connection = await next();
    connection.close();
    connection.close();
    expect(connection.check()).toBe('gone');
    expect(await connection.exeSha256()).toBeNull();
  });
});

describe('an executable', () => {
  it('at another path does not match, and matches its own', async () => {
    const { path, next } = await door();
    const copy = join(tempDir(), 'python-copy');
    copyFileSync(python, copy);
    await startCaller(path, [], copy);
    const { caller } = await next();
    expect(caller.exe).toBe(copy);
    expect(matches({ exe: python }, caller, facts)).toBe(false);
    expect(matches({ exe: copy }, caller, facts)).toBe(true);
  });

  it('deleted before the connection never matches', async () => {
    const { path, next } = await door();
    const dir = tempDir();
    const copy = join(dir, 'python-copy');
    copyFileSync(python, copy);
    // Its own doing, between start and connect.
    await startCaller(path, ['sh', '-c', 'exec "$0" -c "$1" "$4"', copy, DELETE_THEN_CONNECT], 'unused');
    const { caller, check } = await next();
    expect(caller).toMatchObject({ exe: `${copy} (deleted)`, exeFile: null });
    expect(check()).toBe('alive');
    copyFileSync(python, copy);
    expect(matches({ exe: copy }, caller, facts)).toBe(false);
  });

  it('replaced while connected no longer matches its path, and is the same program still', async () => {
    const { path, next } = await door();
    const dir = tempDir();
    const copy = join(dir, 'python-copy');
    copyFileSync(python, copy);
    await startCaller(path, [], copy);
    const { caller, check } = await next();
    expect(matches({ exe: copy }, caller, facts)).toBe(true);
    copyFileSync(python, `${copy}.new`);
    renameSync(`${copy}.new`, copy);
    expect(matches({ exe: copy }, caller, facts)).toBe(false);
    expect(check()).toBe('alive');
    rmSync(copy);
    expect(matches({ exe: copy }, caller, facts)).toBe(false);
  });

  it('that changes all the time while it is read is refused', async () => {
    const { path } = await door();
    const client = connect(path);
    onTestFinished(() => {
      client.destroy();
    });
    let ino = 0n;
    const restless = { ...native(), identify: () => ({ dev: 1n, ino: ino++ }) };
    await new Promise((resolve) => client.once('connect', resolve));
    expect(() => attest(client, restless)).toThrow(expect.objectContaining({ code: 'caller_changed' }));
  });
});

const DELETE_THEN_CONNECT = `
import os, socket, sys
os.unlink(os.readlink("/proc/self/exe"))
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[-1])
print("connected", flush=True)
sys.stdin.readline()
`;
