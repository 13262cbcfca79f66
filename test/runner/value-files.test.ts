import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createValueFiles, userFolders } from '../../daemon/runner/value-files.ts';

const onDisk = mkdtempSync(join(tmpdir(), 'warden-values-'));
const memory = `/dev/shm/warden-values-${process.pid}`;
afterAll(() => {
  for (const folder of [onDisk, memory, `${memory}-link`]) rmSync(folder, { recursive: true, force: true });
});
const one = new Map([['A', Buffer.from('v')]]);

describe('files for values', () => {
  test('lie in the first folder that is in memory, and nowhere else', () => {
    const written = createValueFiles([`${onDisk}/missing/values`, memory]).write(one, null);
    expect(written.paths.get('A')).toMatch(new RegExp(`^${memory}/`));
    written.remove();
  });
  test('are refused where a folder is a link that somebody put there, or there is none', () => {
    symlinkSync(onDisk, `${memory}-link`);
    for (const folders of [[`${memory}-link`], ['/proc/values'], []]) {
      expect(() => createValueFiles(folders).write(one, null)).toThrow(
        expect.objectContaining({ code: 'route_unusable' }),
      );
    }
  });
  test('that cannot all be written are all removed', () => {
    const broken = new Map<string, Buffer>([
      ['A', Buffer.from('v')],
      ['B', null as unknown as Buffer],
    ]);
    expect(() => createValueFiles([memory]).write(broken, null)).toThrow();
    expect(readdirSync(memory)).toEqual([]);
  });
  test('of a user lie in the run-time folder, then in shared memory', () => {
    expect(userFolders({ XDG_RUNTIME_DIR: '/x' }, 7)).toEqual([
      '/x/warden/values',
      '/run/user/7/warden/values',
      '/dev/shm/warden-7',
    ]);
    expect(userFolders({ XDG_RUNTIME_DIR: 'relative' }, 7)).toEqual(['/run/user/7/warden/values', '/dev/shm/warden-7']);
  });
});
