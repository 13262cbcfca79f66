import { createHash } from 'node:crypto';
import { copyFileSync, readFileSync, statSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createExecutableDigests } from '../../daemon/executable-digest.ts';
import { door, python, startCaller, tempDir } from './attest-fixture.ts';

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const identity = (path: string) => {
  const { dev, ino } = statSync(path, { bigint: true });
  return { dev, ino };
};
/** This very process stands in for a caller: its executable is node. */
const self = process.pid;
const node = identity(`/proc/${self}/exe`);

describe('the digest of an executable', () => {
  it('is that of the running file, known to the connection once it was asked for', async () => {
    const { path, next } = await door();
    await startCaller(path);
    const connection = await next();
    expect(connection.exeSha256Cached()).toBeNull();
    expect(await connection.exeSha256()).toBe(sha256(python));
    expect(connection.exeSha256Cached()).toBe(sha256(python));
  });

  it('is of the file that runs, not of what lies at its path by now', async () => {
    const { path, next } = await door();
    const copy = join(tempDir(), 'python-copy');
    copyFileSync(python, copy);
    await startCaller(path, ['sh', '-c', 'exec "$@"', 'sh'], copy);
    const connection = await next();
    // Unlinked and put back: the running inode is the old one.
    unlinkSync(copy);
    writeFileSync(copy, 'something else');
    expect(await connection.exeSha256()).toBe(sha256(python));
  });

  it('is read once for many callers that ask at the same time, and stays the same from memory', async () => {
    const digests = createExecutableDigests();
    const expected = sha256('/proc/self/exe');
    const all = await Promise.all(Array.from({ length: 50 }, () => digests.digest(self, node, () => true)));
    expect(new Set(all)).toEqual(new Set([expected]));
    expect(await digests.digest(self, node, () => true)).toBe(expected);
  });

  it('is not known for a file that is not the one that was attested', async () => {
    const other = { dev: node.dev, ino: node.ino + 1n };
    expect(await createExecutableDigests().digest(self, other, () => true)).toBeNull();
  });

  it('is not known for a process that is no longer the attested one', async () => {
    const digests = createExecutableDigests();
    expect(await digests.digest(self, node, () => false)).toBeNull();
    let asked = 0;
    expect(await digests.digest(self, node, () => asked++ === 0)).toBeNull();
    expect(asked).toBe(2);
  });

  it('is not known for an executable too large to be read', async () => {
    const { path, next } = await door();
    const copy = join(tempDir(), 'python-copy');
    copyFileSync(python, copy);
    // A sparse tail: nothing on the disk, and days to hash.
    truncateSync(copy, 2 ** 40);
    await startCaller(path, [], copy);
    expect(await (await next()).exeSha256()).toBeNull();
    // Nor is it to be looked through for secrets.
    unlinkSync(copy);
  });

  it('follows the content where size and modification time were made to look the same', async () => {
    const dir = tempDir();
    const copy = join(dir, 'python-copy');
    copyFileSync(python, copy);
    const { path, next } = await door();
    utimesSync(copy, 1, 1);
    const before = await startCaller(path, [], copy);
    expect(await (await next()).exeSha256()).toBe(sha256(python));
    before.child.kill('SIGKILL');
    await before.exited;
    // One byte of the zeros that pad an ELF header, in the same inode.
    const bytes = readFileSync(copy);
    bytes[15] = 1;
    writeFileSync(copy, bytes);
    utimesSync(copy, 1, 1);
    await startCaller(path, [], copy);
    const after = await (await next()).exeSha256();
    expect(after).toBe(sha256(copy));
    expect(after).not.toBe(sha256(python));
  });
});
