import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lockState } from '../../daemon/state-lock.ts';
import { effectiveUid } from '../../src/unix/effective-uid.ts';
import { takeLock } from '../../src/unix/lock-file.ts';
import { isRoot, python, start, tempDir } from './attest-fixture.ts';

const mode = (path: string) => lstatSync(path).mode & 0o7777;
const refusal = (code: string, message: string) => expect.objectContaining({ code, message });
const HOLD = `
import fcntl, os, sys
f = open(sys.argv[1], "a+")
fcntl.flock(f, fcntl.LOCK_EX)
f.truncate(0)
f.write(f"{os.getpid()}\\n")
f.flush()
print("locked", flush=True)
sys.stdin.readline()
`;

function locked(dir: string) {
  const lock = lockState(dir);
  onTestFinished(() => lock.release());
  return lock;
}

describe('the lock of the state folder', () => {
  it('makes the folder and its parents closed to others, whatever the umask', () => {
    const before = process.umask(0);
    onTestFinished(() => {
      process.umask(before);
    });
    const dir = join(tempDir(), 'a', 'state');
    locked(dir);
    expect(mode(dir)).toBe(0o700);
    expect(mode(join(dir, 'wardend.lock'))).toBe(0o600);
    expect(readFileSync(join(dir, 'wardend.lock'), 'utf8')).toBe(`${process.pid}\n`);
  });

  it('is refused while this process has it, and free after', () => {
    const dir = join(tempDir(), 'state');
    const lock = locked(dir);
    expect(() => lockState(dir)).toThrow(
      refusal('state_in_use', `the state folder ${dir} is in use by the wardend with pid ${process.pid}`),
    );
    lock.release();
    lock.release();
    locked(dir);
  });

  it('names the other process that has it, and is free once that was killed', async () => {
    const dir = join(tempDir(), 'state');
    mkdirSync(dir, { mode: 0o700 });
    const holder = start(python, ['-c', HOLD, join(dir, 'wardend.lock')]);
    await holder.line();
    expect(() => lockState(dir)).toThrow(
      refusal('state_in_use', `the state folder ${dir} is in use by the wardend with pid ${holder.child.pid}`),
    );
    holder.child.kill('SIGKILL');
    await holder.exited;
    locked(dir);
  });

  it('of a holder that wrote nothing usable is in use by another wardend', () => {
    const dir = join(tempDir(), 'state');
    locked(dir);
    writeFileSync(join(dir, 'wardend.lock'), 'x'.repeat(1000));
    expect(() => lockState(dir)).toThrow(
      refusal('state_in_use', `the state folder ${dir} is in use by another wardend`),
    );
  });

  it('is refused in a folder that others may enter', () => {
    const dir = tempDir();
    chmodSync(dir, 0o750);
    expect(() => lockState(dir)).toThrow(refusal('config_invalid', `the folder ${dir} is open to other users`));
    expect(mode(dir)).toBe(0o750);
  });

  it('is refused in a folder of somebody else', () => {
    const dir = tempDir();
    const message = `the folder ${dir} belongs to uid ${effectiveUid()}`;
    expect(() => lockState(dir, 4242)).toThrow(refusal('config_invalid', message));
  });

  it('is refused below a folder that others can change', () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'shared'));
    chmodSync(join(dir, 'shared'), 0o777);
    const message = `the folder ${join(dir, 'shared')} can be changed by other users`;
    expect(() => lockState(join(dir, 'shared', 'state'))).toThrow(refusal('config_invalid', message));
  });

  it('is refused behind a symbolic link', () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'real'), { mode: 0o700 });
    symlinkSync('real', join(dir, 'state'));
    const message = `the folder ${join(dir, 'state')} is a symbolic link`;
    expect(() => lockState(join(dir, 'state'))).toThrow(refusal('config_invalid', message));
  });

  it('is refused where the folder is a file', () => {
    const path = join(tempDir(), 'state');
    writeFileSync(path, '');
    expect(() => lockState(path)).toThrow(refusal('config_invalid', `the folder ${path} is no folder`));
  });
});

describe('a lock file', () => {
  it('that is a link is not followed', () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'victim'), 'precious');
    symlinkSync('victim', join(dir, 'a.lock'));
    expect(() => takeLock(join(dir, 'a.lock'))).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    expect(readFileSync(join(dir, 'victim'), 'utf8')).toBe('precious');
  });

  it.runIf(isRoot)('of another user is refused and kept (needs root)', () => {
    const path = join(tempDir(), 'a.lock');
    writeFileSync(path, 'theirs');
    chownSync(path, 4242, 4242);
    expect(() => takeLock(path)).toThrow(refusal('config_invalid', `the lock file ${path} is not this user's`));
    expect(readFileSync(path, 'utf8')).toBe('theirs');
  });
});
