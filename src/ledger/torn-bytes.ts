import { constants, promises as fs } from 'node:fs';
import { join } from 'node:path';
import { CURRENT_LOG, syncFolder } from './files.ts';

/** Cuts bytes behind the last whole record away, into a file of their own that is kept. Returns its name. */
export async function setTornBytesAside(dir: string, offset: number, afterSeq: number): Promise<string> {
  const source = await fs.open(join(dir, CURRENT_LOG), constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const { name, target } = await newSideFile(dir, afterSeq);
    try {
      const block = Buffer.alloc(256 * 1024);
      for (let position = offset; ; ) {
        const { bytesRead } = await source.read(block, 0, block.length, position);
        if (bytesRead === 0) break;
        await target.writeFile(block.subarray(0, bytesRead));
        position += bytesRead;
      }
      await target.sync();
    } finally {
      await target.close();
    }
    await source.truncate(offset);
    await source.sync();
    await syncFolder(dir);
    return name;
  } finally {
    await source.close();
  }
}

async function newSideFile(dir: string, afterSeq: number): Promise<{ name: string; target: fs.FileHandle }> {
  for (let turn = 1; ; turn += 1) {
    const name = `torn-after-${String(afterSeq).padStart(12, '0')}${turn === 1 ? '' : `-${turn}`}.bin`;
    try {
      return {
        name,
        target: await fs.open(join(dir, name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600),
      };
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    }
  }
}
