import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { native, openNative } from '../../src/unix/native.ts';
import { SO_TYPE } from '../../src/unix/system-calls.ts';
import { bundle, bundleEnv, start, tempDir } from './attest-fixture.ts';

describe('the system calls', () => {
  it('without koffi are an error that says what to do', () => {
    const cause = new Error("Cannot find module 'koffi'");
    const missing = () => {
      throw cause;
    };
    expect(() => openNative(missing)).toThrow(
      expect.objectContaining({
        code: 'internal',
        message: 'the native module koffi could not be loaded',
        hint: 'install the dependencies again for this machine: npm ci (koffi comes prebuilt, as an optional dependency)',
        cause,
      }),
    );
  });

  it.each(['/', '/proc/self/exe', '/dev/null', '/proc/self', '/tmp'])('identify %s as stat() does', (path) => {
    const { dev, ino } = statSync(path, { bigint: true });
    expect(native().identify(path)).toEqual({ dev, ino });
  });

  it('see size and times as stat() does', () => {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync('/proc/self/exe', { bigint: true });
    expect(native().version('/proc/self/exe')).toMatchObject({ dev, ino, size, mtimeNs, ctimeNs });
  });

  it('identify nothing where nothing is, and at a path with a NUL', () => {
    expect(native().identify('/nowhere')).toBeNull();
    expect(native().identify('/dev/null\0/x')).toBeNull();
  });

  it('on a descriptor of the wrong kind fail with the kernel’s word for it', () => {
    const fd = openSync('/dev/null', 'r');
    try {
      expect(() => native().peerCredentials(fd)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
      expect(native().socketOption(fd, SO_TYPE)).toBeNull();
    } finally {
      closeSync(fd);
    }
  });

  it('bind no path that would be cut', () => {
    const dir = tempDir();
    mkdirSync(join(dir, 'a'));
    expect(() => native().bindUnix('x'.repeat(108), 0o600)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => native().bindUnix(join(dir, 'a'), 0o600)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
  });
});

describe('a hardened process', () => {
  it('can’t be dumped, leaves no core, and makes files for its owner alone', async () => {
    const dir = tempDir();
    const program = await bundle('hardened.ts', join(dir, 'hardened.mjs'));
    const said = await start(process.execPath, [program, join(dir, 'file')], bundleEnv).line();
    expect(JSON.parse(said)).toEqual({ before: 1, dumpable: 0, core: ['0', '0'], mode: 0o600 });
  });
});
