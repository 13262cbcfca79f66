import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { isRoot, run } from '../e2e/support.ts';
import { DaemonEnded, type House, makeHouse, type RunningDaemon, startDaemon } from '../support/daemon.ts';

let house: House | undefined;
let daemon: RunningDaemon | undefined;
let mounted: string | undefined;

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon = undefined;
  if (mounted !== undefined) await run('umount', ['--lazy', mounted]);
  mounted = undefined;
  house?.remove();
});

async function failedStart(here: House): Promise<DaemonEnded> {
  const thrown = await startDaemon({ house: here }).then(
    (running) => running.stop(),
    (error: unknown) => error,
  );
  if (thrown instanceof DaemonEnded) return thrown;
  throw new Error('it started');
}

describe('a first start', () => {
  it('on a full disk says so, and leaves nothing that stands in the way once there is room', async () => {
    if (!isRoot) throw new Error('this test mounts a small tmpfs and needs root for it');
    house = makeHouse();
    const disk = join(house.folder, 'disk');
    mkdirSync(disk);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'warden-test', disk]);
    mounted = disk;
    const here = { ...house, state: join(disk, 'state') };
    mkdirSync(here.state, { mode: 0o700 });
    const ballast = join(disk, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(1024 * 1024))).toThrow('ENOSPC');

    const { code, stderr } = await failedStart(here);
    expect(stderr).toMatch(/^wardend: .* cannot be written \(ENOSPC\)\n {2}why: ledger_unavailable\n {2}do: make room/);
    expect(code).toBe(4);

    rmSync(ballast);
    daemon = await startDaemon({ house: here });
  });

  it.each([
    ['a state folder below a file', (here: House) => ({ ...here, state: join(here.config, 'warden.yaml', 'state') })],
    [
      'a state folder whose name is too long',
      (here: House) => ({ ...here, state: join(here.folder, 'x'.repeat(300)) }),
    ],
  ])('in %s says which path, with exit code 2 and no stack', async (_what, change) => {
    house = makeHouse();
    const here = change(house);
    const { code, stderr } = await failedStart(here);
    expect(stderr).toContain(`wardend: ${here.state} cannot be used (`);
    expect(stderr).toContain('why: config_invalid');
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(2);
  });
});
