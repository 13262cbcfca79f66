import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { listLedgerFiles } from '../../src/ledger/files.ts';
import { type LogIo, systemIo } from '../../src/ledger/log-file.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { closeLedger, openLedger, refusal, refusalOf, release, temporaryFolder, writtenLedger } from './support.ts';

const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) spawnSync('umount', ['--lazy', path]);
});

/** A real small file system, so that "full" is what the kernel says. */
function smallDisk(size: string): string {
  const path = join(temporaryFolder(), 'disk');
  mkdirSync(path);
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'warden-test', path], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`this test mounts a small tmpfs and needs root for it: ${done.stderr.trim()}`);
  mounted.push(path);
  return path;
}

const errno = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

/** Writes as told, then as the system does. */
function faultyIo(): LogIo & { next: ((fd: number, bytes: Buffer, position: number) => Promise<number>) | null } {
  const io = {
    next: null as ((fd: number, bytes: Buffer, position: number) => Promise<number>) | null,
    write(fd: number, bytes: Buffer, position: number): Promise<number> {
      return io.next === null ? systemIo.write(fd, bytes, position) : io.next(fd, bytes, position);
    },
  };
  return io;
}

describe('on a full disk', () => {
  it('nothing is released, nothing half-written stays, and it goes on without a restart when space returns', async () => {
    const disk = smallDisk('256k');
    const dir = join(disk, 'state');
    const { ledger, events } = await openLedger(dir);
    await ledger.append(release(1));
    writeFileSync(join(disk, 'ballast'), '');
    try {
      for (;;) appendFileSync(join(disk, 'ballast'), Buffer.alloc(4096));
    } catch (thrown) {
      expect((thrown as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
    const before = readFileSync(join(dir, 'signatures.log'));
    const tries = Array.from({ length: 50 }, (_, n) =>
      refusalOf(ledger.append(release(n, { user_reason: 'x'.repeat(400) }))),
    );
    for (const error of await Promise.all(tries)) {
      expect([error.code, error.message]).toEqual(['ledger_unavailable', 'the disk of the ledger is full']);
      expect(error.hint).toContain('make room on the disk');
    }
    expect(readFileSync(join(dir, 'signatures.log'))).toEqual(before);
    expect(ledger.status()).toMatchObject({ seq: 1n, writable: false });
    expect(await ledger.appendRefusal(refusal())).toBeNull();
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 1 });

    rmSync(join(disk, 'ballast'));
    expect((await ledger.append(release(2))).seq).toBe(2n);
    expect(ledger.status()).toMatchObject({ seq: 2n, writable: true, failure: null });
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['unavailable', 'available']));
    await ledger.maintain();
    await closeLedger(ledger);
    const result = await verifyLedger(dir);
    expect(result).toMatchObject({ conforms: true, records: 3 });
    expect(result.notes.map(({ what }) => what)).toEqual([
      'recovered: 1 refusals were counted while the ledger was short of space or could not be written',
    ]);
  });

  it('refusals stop at the reserve that is kept for releases, are counted, and one record says how many', async () => {
    const disk = smallDisk('4m');
    const dir = join(disk, 'state');
    const { ledger, clock, events } = await openLedger(dir, { checkpointEvery: 100_000 });
    // 5 % of 4 MiB are some 200 KiB: leave less than that, and more than nothing.
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(4 * 1024 * 1024 - 150 * 1024));
    await ledger.maintain();
    for (let n = 0; n < 500; n += 1)
      expect(await ledger.appendRefusal(refusal({ reason: 'ttl_out_of_bounds' }))).toBeNull();
    expect((await ledger.append(release(1))).seq).toBe(1n);
    expect(ledger.status().refusalsCounted).toBe(500);
    rmSync(join(disk, 'ballast'));
    clock.advance(1_000);
    await ledger.maintain();
    const log = readFileSync(join(dir, 'signatures.log'), 'utf8').trim().split('\n');
    expect(log).toHaveLength(2);
    expect(JSON.parse(log[1] ?? '')).toMatchObject({ kind: 'recovered', reason: 'ledger_unavailable', count: 500 });
    expect((await ledger.appendRefusal(refusal({ reason: 'ttl_out_of_bounds' })))?.seq).toBe(3n);
    expect(events.map(({ event }) => event)).toEqual(['space_short', 'space_returned']);
    expect(await verifyLedger(dir)).toMatchObject({ findings: [] });
  });
});

describe('after a write that failed', () => {
  it.each<[string, (fd: number, bytes: Buffer, position: number) => Promise<number>, string]>([
    ['with EIO', () => Promise.reject(errno('EIO')), 'the ledger could not be written (EIO)'],
    ['with EROFS', () => Promise.reject(errno('EROFS')), 'the ledger could not be written (EROFS)'],
    ['by taking no bytes', () => Promise.resolve(0), 'the ledger could not be written: the disk took no bytes'],
    [
      'behind half of the bytes',
      async (fd, bytes, position) => {
        await systemIo.write(fd, bytes.subarray(0, bytes.length >> 1), position);
        throw errno('EIO');
      },
      'the ledger could not be written (EIO)',
    ],
    [
      'behind all of the bytes, when they were to be made durable',
      async (fd, bytes, position) => {
        await systemIo.write(fd, bytes, position);
        throw errno('EIO');
      },
      'the ledger could not be written (EIO)',
    ],
  ])('%s all that wait are refused, and the next record follows the last good one', async (_, fault, message) => {
    const dir = temporaryFolder();
    const io = faultyIo();
    const { ledger } = await openLedger(dir, { io });
    await ledger.append(release(1));
    io.next = fault;
    const errors = await Promise.all([2, 3, 4].map((serial) => refusalOf(ledger.append(release(serial)))));
    expect(errors.map(({ code }) => code)).toEqual(Array(3).fill('ledger_unavailable'));
    expect(errors[0]?.message).toBe(message);
    expect(ledger.lastSerial()).toBe(1n);
    io.next = null;
    expect((await ledger.append(release(5))).seq).toBe(2n);
    await closeLedger(ledger);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 2, notes: [] });
  });

  it('that damaged what was good before, nothing more is written behind it', async () => {
    const dir = temporaryFolder();
    const io = faultyIo();
    const { ledger } = await openLedger(dir, { io });
    await ledger.append(release(1));
    io.next = async (fd, _bytes, position) => {
      await systemIo.write(fd, Buffer.from('?'), position - 10);
      throw errno('EIO');
    };
    await refusalOf(ledger.append(release(2)));
    io.next = null;
    const error = await refusalOf(ledger.append(release(3)));
    expect([error.code, error.message, error.hint]).toEqual([
      'ledger_unavailable',
      'the end of signatures.log is not what was written there',
      'see `warden ledger verify`',
    ]);
    expect((await verifyLedger(dir)).findings.map(({ line }) => line)).toContain(1);
  });

  it('that was written short and then went on, nothing is refused', async () => {
    const dir = temporaryFolder();
    const io = faultyIo();
    const { ledger } = await openLedger(dir, { io });
    io.next = (fd, bytes, position) => systemIo.write(fd, bytes.subarray(0, 100), position);
    expect((await ledger.append(release(1))).seq).toBe(1n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 1 });
  });

  it('with no request to try again, upkeep tries, and says that it was so', async () => {
    const dir = temporaryFolder();
    const io = faultyIo();
    const { ledger } = await openLedger(dir, { io });
    io.next = () => Promise.reject(errno('EIO'));
    await refusalOf(ledger.append(release(1)));
    await ledger.maintain();
    expect(ledger.status().writable).toBe(false);
    io.next = null;
    await ledger.maintain();
    expect(ledger.status()).toMatchObject({ writable: true, seq: 1n });
    expect((await verifyLedger(dir)).notes.map(({ what }) => what)).toEqual([
      'recovered: the ledger could not be written for a time, and nothing was released',
    ]);
  });
});

describe('while the daemon runs', () => {
  it.each<[string, (path: string) => void, string]>([
    ['removed', (path) => renameSync(path, `${path}.away`), 'signatures.log was removed while the daemon runs'],
    [
      'replaced',
      (path) => {
        copyFileSync(path, `${path}.copy`);
        renameSync(path, `${path}.away`);
        renameSync(`${path}.copy`, path);
      },
      'signatures.log was replaced while the daemon runs',
    ],
  ])('a log that is %s is noticed with the next record, until the very file is back', async (_, change, message) => {
    const dir = temporaryFolder();
    const path = join(dir, 'signatures.log');
    const { ledger } = await openLedger(dir);
    await ledger.append(release(1));
    change(path);
    for (let turn = 0; turn < 2; turn += 1) {
      const error = await refusalOf(ledger.append(release(2)));
      expect([error.code, error.message]).toEqual(['ledger_unavailable', message]);
    }
    renameSync(`${path}.away`, path);
    expect((await ledger.append(release(3))).seq).toBe(2n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 2 });
  });

  it('a line that someone else appends is noticed and cut away', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir);
    await ledger.append(release(1));
    appendFileSync(join(dir, 'signatures.log'), `${'x'.repeat(5000)}\n`);
    const error = await refusalOf(ledger.append(release(2)));
    expect(error.message).toBe('signatures.log was written by someone else while the daemon runs');
    expect((await ledger.append(release(3))).seq).toBe(2n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 2 });
  });

  it.each(['signatures.head', 'anchor'])('a removed %s is made again within a second of commits', async (name) => {
    const root = temporaryFolder();
    const dir = join(root, 'state');
    const anchorFile = join(dir, 'anchor');
    const { ledger, clock, events } = await openLedger(dir, { anchorFile });
    await ledger.append(release(1));
    rmSync(join(dir, name));
    clock.advance(1_001);
    await ledger.append(release(2));
    expect(events).toEqual([{ event: 'head_restored' }]);
    await closeLedger(ledger);
    expect(await verifyLedger(dir, { anchorFile })).toMatchObject({ conforms: true, records: 2 });
    const again = await openLedger(dir, { anchorFile });
    expect(again.ledger.status().seq).toBe(2n);
  });

  it('a rotation that fails is said, and the file in use stays in use', async () => {
    const dir = temporaryFolder();
    const { ledger, events } = await openLedger(dir, { rotateBytes: 1_000 });
    writeFileSync(join(dir, 'signatures-000000000001.log'), '');
    for (let serial = 1; serial <= 5; serial += 1) await ledger.append(release(serial));
    expect(events.map(({ event }) => event)).toEqual(['rotation_failed']);
    rmSync(join(dir, 'signatures-000000000001.log'));
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 5 });
  });

  it('a ledger can be verified at any moment, over rotations', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { rotateBytes: 5_000 });
    let running = true;
    const writing = (async () => {
      for (let serial = 1; serial <= 600; serial += 1) await ledger.append(release(serial));
      running = false;
    })();
    let looks = 0;
    while (running) {
      expect((await verifyLedger(dir)).findings).toEqual([]);
      looks += 1;
    }
    await writing;
    expect(looks).toBeGreaterThan(0);
    expect((await listLedgerFiles(dir)).length).toBeGreaterThan(10);
  });
});

/** The state as `kill -9` leaves it: everything is in the files, and the head is not closed. */
async function killedLedger(count: number): Promise<string> {
  const [dir, kept] = [temporaryFolder(), new Map<string, Buffer>()];
  const { ledger } = await openLedger(dir);
  for (let serial = 1; serial <= count; serial += 1) await ledger.append(release(serial));
  for (const name of ['signatures.head', 'signatures.log']) kept.set(name, readFileSync(join(dir, name)));
  await closeLedger(ledger);
  // Written back in place: the same files, as they were.
  for (const [name, content] of kept) writeFileSync(join(dir, name), content);
  return dir;
}

describe('a start after an unfinished write', () => {
  it.each([
    ['half a line', '{"v":1,"seq":6,"prev":"00'],
    ['zeros', '\0'.repeat(700)],
    ['lines that are none, and half a line', 'abc\ndef\n{"v":1'],
  ])('of %s cuts it away, keeps it aside, and says so in a record', async (_, torn) => {
    const dir = await killedLedger(5);
    appendFileSync(join(dir, 'signatures.log'), torn);
    const { ledger, events } = await openLedger(dir);
    const what = `${torn.length} bytes of a write that never finished were cut away and kept in torn-after-000000000005.bin`;
    expect(events).toEqual([{ event: 'recovered', detail: what }]);
    expect(readFileSync(join(dir, 'torn-after-000000000005.bin'), 'utf8')).toBe(torn);
    expect((await ledger.append(release(6))).seq).toBe(7n);
    const result = await verifyLedger(dir);
    expect(result).toMatchObject({ conforms: true, records: 7 });
    expect(result.notes).toEqual([{ file: 'signatures.log', line: 6, seq: 6, what: `recovered: ${what}` }]);
  });

  it('takes over whole records that the head did not reach', async () => {
    const dir = await killedLedger(5);
    const head = readFileSync(join(dir, 'signatures.head'));
    const { ledger } = await openLedger(dir);
    await ledger.append(release(6));
    const log = readFileSync(join(dir, 'signatures.log'));
    await closeLedger(ledger);
    writeFileSync(join(dir, 'signatures.head'), head);
    writeFileSync(join(dir, 'signatures.log'), log);
    expect((await verifyLedger(dir)).notes.map(({ what }) => what)).toEqual(['record 6: behind the signed head']);
    const again = await openLedger(dir);
    expect(again.ledger.status().seq).toBe(6n);
    expect(again.ledger.lastSerial()).toBe(6n);
  });

  it('does not take a damaged record behind the head for a torn one where a whole record follows', async () => {
    const dir = await killedLedger(5);
    const head = readFileSync(join(dir, 'signatures.head'));
    const { ledger } = await openLedger(dir);
    await ledger.append(release(6));
    await ledger.append(release(7));
    const log = readFileSync(join(dir, 'signatures.log'), 'utf8');
    await closeLedger(ledger);
    writeFileSync(join(dir, 'signatures.head'), head);
    writeFileSync(join(dir, 'signatures.log'), log.replace('"serial":"6"', '"serial":"8"'));
    const error = await refusalOf(openLedger(dir));
    expect([error.code, error.message]).toEqual([
      'ledger_broken',
      "signatures.log line 6: the record's hash does not fit its bytes",
    ]);
  });

  it('replaces a head slot that was never finished', async () => {
    const dir = await killedLedger(5);
    const path = join(dir, 'signatures.head');
    const head = readFileSync(path);
    const newest = head.toString('latin1', 0, 512).includes('"seq":5') ? 0 : 512;
    head.fill(0x20, newest + 100, newest + 300);
    writeFileSync(path, head);
    const { ledger, events } = await openLedger(dir);
    expect(events).toEqual([
      { event: 'recovered', detail: 'a head in signatures.head that was never finished was replaced' },
    ]);
    expect(ledger.status().seq).toBe(6n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true });
  });

  it.each<[string, (dir: string) => void]>([
    ['before the full file was renamed', (dir) => writeFileSync(join(dir, 'signatures.log.new'), '')],
    [
      'between the two renames',
      (dir) => {
        renameSync(join(dir, 'signatures.log'), join(dir, 'signatures-000000000001.log'));
        writeFileSync(join(dir, 'signatures.log.new'), '');
      },
    ],
    [
      'before the first record of the new file',
      (dir) => {
        renameSync(join(dir, 'signatures.log'), join(dir, 'signatures-000000000001.log'));
        writeFileSync(join(dir, 'signatures.log'), '');
      },
    ],
  ])('of a rotation that was cut short %s goes on', async (_, change) => {
    const dir = await killedLedger(5);
    change(dir);
    for (let turn = 0; turn < 2; turn += 1) {
      const { ledger } = await openLedger(dir);
      expect(ledger.status().seq).toBe(5n);
      await closeLedger(ledger);
    }
    const { ledger } = await openLedger(dir);
    expect((await ledger.append(release(6))).seq).toBe(6n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 6 });
    expect(readdirSync(dir)).not.toContain('signatures.log.new');
  });

  it('that came before the key was saved begins the ledger anew', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 0);
    rmSync(join(dir, 'ledger_ed25519'));
    const { ledger } = await openLedger(dir);
    expect((await ledger.append(release(1))).seq).toBe(1n);
    expect(await verifyLedger(dir)).toMatchObject({ conforms: true, records: 1 });
  });
});
