import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { acceptBreak } from '../../src/ledger/accept.ts';
import { FileLedger } from '../../src/ledger/file-ledger.ts';
import { listLedgerFiles } from '../../src/ledger/files.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { closeLedger, openLedger, refusalOf, release, TestClock, temporaryFolder, writtenLedger } from './support.ts';

type Lines = string[];
const LOG = 'signatures.log';

function edit(dir: string, change: (lines: Lines) => Lines | undefined): void {
  const path = join(dir, LOG);
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  // Written in place: the file stays the one that the head was signed for.
  writeFileSync(path, (change(lines) ?? lines).map((line) => `${line}\n`).join(''));
}

/** Replaces a line's text and gives it a hash that fits, as one would who has no key. */
function forge(line: string, from: string, to: string): string {
  const changed = line.replace(from, to);
  expect(changed).not.toBe(line);
  return changed;
}

/** Changes line `n` (from 0) and gives it and all that follow hashes that fit, as one can who has no key. */
function rewriteFrom(lines: Lines, n: number, from: string, to: string): Lines {
  let prev = JSON.parse(lines[n] ?? '').prev as string;
  return lines.map((line, at) => {
    if (at < n) return line;
    const changed = (at === n ? forge(line, from, to) : line).replace(/"prev":"[^"]*"/, `"prev":"${prev}"`);
    const body = changed.slice(0, changed.lastIndexOf(',"hash"'));
    prev = createHash('sha256').update(Buffer.from(prev, 'hex')).update(body).digest('hex');
    return `${body},"hash":"${prev}"}`;
  });
}

const open = (dir: string, anchorFile?: string): Promise<FileLedger> =>
  FileLedger.open({
    dir,
    clock: new TestClock(),
    rotateBytes: 1e9,
    checkpointEvery: 10,
    ...(anchorFile === undefined ? {} : { anchorFile }),
  });

/** Line `n` (from 1) of a ledger of 25 releases with checkpoints at 11 and 22. */
const TABLE: [
  string,
  (lines: Lines) => Lines | undefined,
  { line: number | null; seq: number | null; what: string }[],
][] = [
  [
    'a flipped byte in a value',
    (lines) => lines.map((line, n) => (n === 4 ? forge(line, 'agt-state', 'agt-statf') : line)),
    [{ line: 5, seq: 5, what: "the record's hash does not fit its bytes" }],
  ],
  [
    'a flipped byte in a hash',
    (lines) =>
      lines.map((line, n) => (n === 4 ? line.replace(/(.)"}$/, (_, c) => `${c === '0' ? '1' : '0'}"}`) : line)),
    [{ line: 5, seq: 5, what: "the record's hash does not fit its bytes" }],
  ],
  [
    'a byte that makes the line no JSON',
    (lines) => lines.map((line, n) => (n === 4 ? line.replace('{', '[') : line)),
    [{ line: 5, seq: null, what: 'the line is not one JSON object' }],
  ],
  [
    'keys in another order',
    (lines) => lines.map((line, n) => (n === 4 ? line.replace('"v":1,"seq":5', '"seq":5,"v":1') : line)),
    [{ line: 5, seq: null, what: "the line's keys or values are not in the form that the ledger writes" }],
  ],
  [
    'a key said twice',
    (lines) => lines.map((line, n) => (n === 4 ? line.replace('"kind"', '"kind":"sign","kind"') : line)),
    [{ line: 5, seq: null, what: "the line's keys or values are not in the form that the ledger writes" }],
  ],
  [
    'an unknown key',
    (lines) => lines.map((line, n) => (n === 4 ? line.replace(',"hash"', ',"extra":1,"hash"') : line)),
    [{ line: 5, seq: null, what: "the line's keys or values are not in the form that the ledger writes" }],
  ],
  [
    'a record behind the last checkpoint written anew, with hashes that fit',
    (lines) => rewriteFrom(lines, 24, 'agt-state', 'agt-statf'),
    [{ line: null, seq: 27, what: 'record 27 is not the one that the head was signed over' }],
  ],
  [
    'a removed line',
    (lines) => lines.filter((_, n) => n !== 4),
    [{ line: 5, seq: 6, what: 'record 5 is missing before record 6' }],
  ],
  [
    'three removed lines',
    (lines) => lines.filter((_, n) => n < 4 || n > 6),
    [{ line: 5, seq: 8, what: 'records 5 to 7 are missing before record 8' }],
  ],
  [
    'the first line removed',
    (lines) => lines.slice(1),
    [{ line: 1, seq: 2, what: 'record 1 is missing: the ledger begins with record 2' }],
  ],
  [
    'two neighbouring lines swapped',
    (lines) => lines.map((line, n) => (n === 4 ? lines[5] : n === 5 ? lines[4] : line) ?? ''),
    [
      { line: 5, seq: 6, what: 'record 6 stands where record 5 belongs' },
      { line: 6, seq: 5, what: 'record 5 stands behind record 6' },
    ],
  ],
  [
    'two distant lines swapped',
    (lines) => lines.map((line, n) => (n === 4 ? lines[8] : n === 8 ? lines[4] : line) ?? ''),
    [
      { line: 5, seq: 9, what: 'record 9 stands where record 5 belongs' },
      { line: 9, seq: 5, what: 'record 5 stands here out of its place' },
    ],
  ],
  [
    'an inserted copy of a line',
    (lines) => [...lines.slice(0, 5), lines[4] ?? '', ...lines.slice(5)],
    [{ line: 6, seq: 5, what: 'record 5 stands here a second time' }],
  ],
  [
    'an inserted line that is no record',
    (lines) => [...lines.slice(0, 5), 'hello', ...lines.slice(5)],
    [{ line: 6, seq: null, what: 'the line is not one JSON object' }],
  ],
  [
    'an empty line',
    (lines) => [...lines.slice(0, 5), '', ...lines.slice(5)],
    [{ line: 6, seq: null, what: 'the line is not one JSON object' }],
  ],
  [
    'a cut tail',
    (lines) => lines.slice(0, -2),
    [
      {
        line: null,
        seq: 27,
        what: 'the tail is cut: the signed head says record 27, the ledger ends with record 25 (records 26 to 27 missing)',
      },
    ],
  ],
  [
    'an emptied file',
    () => [],
    [
      {
        line: null,
        seq: 27,
        what: 'the tail is cut: the signed head says record 27, the ledger ends with record 0 (records 1 to 27 missing)',
      },
    ],
  ],
];

describe('verify names', () => {
  it.each(TABLE)('%s', async (_, change, expected) => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 25);
    expect(await verifyLedger(dir)).toMatchObject({
      conforms: true,
      records: 27,
      firstSeq: 1,
      lastSeq: 27,
      findings: [],
    });
    edit(dir, change);
    const result = await verifyLedger(dir);
    expect(result.findings).toEqual(expected.map((finding) => ({ file: LOG, ...finding })));
    expect(result.conforms).toBe(false);
  });

  it('a ledger written anew from some line on by someone without the key: the checkpoint there, and the head', async () => {
    const [dir, other] = [temporaryFolder(), temporaryFolder()];
    await writtenLedger(dir, 25);
    await writtenLedger(other, 25);
    // All hashes of the other ledger fit; only its key is another.
    writeFileSync(join(dir, LOG), readFileSync(join(other, LOG)));
    const { findings } = await verifyLedger(dir);
    const signer = JSON.parse(readFileSync(join(other, LOG), 'utf8').split('\n')[10] ?? '').signer;
    const bad = `the checkpoint bears no valid signature of the ledger's key (it names ${signer})`;
    expect(findings).toEqual([
      { file: LOG, line: 11, seq: 11, what: bad },
      { file: LOG, line: 22, seq: 22, what: bad },
      { file: LOG, line: null, seq: 27, what: 'record 27 is not the one that the head was signed over' },
    ]);
  });

  it('a record that was added after the ledger was closed', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 5);
    const spare = temporaryFolder();
    cpSync(dir, spare, { recursive: true });
    await acceptBreak(spare, 'forged', { clock: new TestClock() });
    writeFileSync(join(dir, LOG), readFileSync(join(spare, LOG)));
    const what = 'the ledger was closed with record 5, but goes on: record 6';
    expect((await verifyLedger(dir)).findings).toEqual([{ file: LOG, line: null, seq: 6, what }]);
    const error = await refusalOf(open(dir));
    expect([error.code, error.message]).toEqual([
      'ledger_broken',
      'signatures.log goes on after record 5, with which the ledger was closed',
    ]);
  });

  it('a flipped byte in either head', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 5);
    const path = join(dir, 'signatures.head');
    const whole = readFileSync(path);
    for (const at of [10, 100, 300, 500, 522, 700, 1000]) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(path, changed);
      const { findings } = await verifyLedger(dir);
      expect(findings).toContainEqual({
        file: 'signatures.head',
        line: null,
        seq: null,
        what: 'one of the two heads is damaged',
      });
    }
  });

  it.each([
    [
      'the head is missing',
      'signatures.head',
      'the signed head is missing',
      'signatures.head is missing, but the ledger was begun',
    ],
    [
      'the head is another ledger’s',
      null,
      "the head bears no valid signature of the ledger's key",
      "signatures.head bears no valid signature of the ledger's key",
    ],
  ])('that %s, and the start refuses', async (_, removed, what, message) => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 5);
    if (removed !== null) rmSync(join(dir, removed));
    else {
      const other = temporaryFolder();
      await writtenLedger(other, 5);
      cpSync(join(other, 'signatures.head'), join(dir, 'signatures.head'));
    }
    expect((await verifyLedger(dir)).findings).toEqual([{ file: 'signatures.head', line: null, seq: null, what }]);
    const error = await refusalOf(open(dir));
    expect([error.code, error.message]).toEqual(['ledger_broken', message]);
    expect(error.hint).toContain('warden ledger accept --reason');
  });

  it('a removed rotated file, and a line removed from one', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { rotateBytes: 2_000 });
    for (let serial = 1; serial <= 30; serial += 1) await ledger.append(release(serial));
    await closeLedger(ledger);
    const [first, second, third] = await listLedgerFiles(dir);
    expect((await verifyLedger(dir)).findings).toEqual([]);
    const path = third?.path ?? '';
    const lines = readFileSync(path, 'utf8').split('\n');
    writeFileSync(path, [...lines.slice(0, 1), ...lines.slice(2)].join('\n'));
    const seq = (third?.firstSeq ?? 0) + 1;
    expect((await verifyLedger(dir)).findings).toEqual([
      { file: third?.name, line: 2, seq: seq + 1, what: `record ${seq} is missing before record ${seq + 1}` },
    ]);
    writeFileSync(path, lines.join('\n'));
    rmSync(second?.path ?? '');
    const [from, to] = [second?.firstSeq ?? 0, (third?.firstSeq ?? 0) - 1];
    expect((await verifyLedger(dir)).findings).toEqual([
      { file: third?.name, line: 1, seq: to + 1, what: `records ${from} to ${to} are missing before record ${to + 1}` },
    ]);
    expect(first?.firstSeq).toBe(1);
  });

  it('any single flipped byte, in the log and in the head', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 24);
    const files = [join(dir, LOG), join(dir, 'signatures.head')] as const;
    const contents = files.map((path) => readFileSync(path));
    await fc.assert(
      fc.asyncProperty(fc.nat(1), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, position, mask) => {
        const [path, content] = [files[which] ?? '', contents[which] ?? Buffer.alloc(1)];
        const changed = Buffer.from(content);
        const at = position % changed.length;
        changed[at] = (changed[at] ?? 0) ^ mask;
        writeFileSync(path, changed);
        const { conforms } = await verifyLedger(dir);
        writeFileSync(path, content);
        return !conforms;
      }),
      { numRuns: 400 },
    );
    expect((await verifyLedger(dir)).conforms).toBe(true);
  });

  it('any removed, repeated or swapped line and any cut, in any file of the ledger', async () => {
    const dir = temporaryFolder();
    const { ledger } = await openLedger(dir, { rotateBytes: 4_000 });
    for (let serial = 1; serial <= 30; serial += 1) await ledger.append(release(serial));
    await closeLedger(ledger);
    const files = (await listLedgerFiles(dir)).map(({ path }) => ({ path, content: readFileSync(path, 'utf8') }));
    const damage = fc.constantFrom<(lines: string[], a: number, b: number) => string>(
      (lines, a) => lines.filter((_, n) => n !== a).join(''),
      (lines, a) => lines.flatMap((line, n) => (n === a ? [line, line] : [line])).join(''),
      (lines, a, b) => lines.map((line, n) => (n === a ? lines[b] : n === b ? lines[a] : line)).join(''),
      (lines, a, b) => lines.join('').slice(0, a * 100 + b),
    );
    await fc.assert(
      fc.asyncProperty(fc.nat(), damage, fc.nat(), fc.nat(), async (which, change, a, b) => {
        const file = files[which % files.length];
        if (file === undefined) return false;
        const lines = file.content.split(/(?<=\n)/);
        const changed = change(lines, a % lines.length, b % lines.length);
        if (changed === file.content) return true;
        writeFileSync(file.path, changed);
        const { conforms } = await verifyLedger(dir);
        writeFileSync(file.path, file.content);
        return !conforms;
      }),
      { numRuns: 300 },
    );
    expect((await verifyLedger(dir)).conforms).toBe(true);
  });
});

describe('a start', () => {
  const anchored = (): { dir: string; anchorFile: string } => {
    const root = temporaryFolder();
    return { dir: join(root, 'state'), anchorFile: join(root, 'anchor') };
  };

  it.each<[string, (dir: string) => void, string, string]>([
    [
      'after two lines were cut off',
      (dir) => edit(dir, (lines) => lines.slice(0, -2)),
      'state_rolled_back',
      'the ledger ends with record 25, but signatures.head says record 27: 2 records are missing',
    ],
    [
      'after half of the last line was cut off',
      (dir) => writeFileSync(join(dir, LOG), readFileSync(join(dir, LOG)).subarray(0, -100)),
      'ledger_broken',
      'signatures.log line 27: the line has no end (signatures.head says record 27)',
    ],
    [
      'after the log was emptied',
      (dir) => edit(dir, () => []),
      'state_rolled_back',
      'the ledger ends with record 0, but signatures.head says record 27: 27 records are missing',
    ],
    [
      'after the log was removed',
      (dir) => rmSync(join(dir, LOG)),
      'state_rolled_back',
      'the ledger ends with record 0, but signatures.head says record 27: 27 records are missing',
    ],
    [
      'after a byte of a recent record was flipped',
      (dir) => edit(dir, (lines) => lines.map((line, n) => (n === 24 ? forge(line, 'agt-state', 'agt-statf') : line))),
      'ledger_broken',
      "signatures.log line 25: the record's hash does not fit its bytes (signatures.head says record 27)",
    ],
    [
      'after a recent record was written anew with hashes that fit',
      (dir) => edit(dir, (lines) => rewriteFrom(lines, 24, 'agt-state', 'agt-statf')),
      'state_rolled_back',
      'record 27 is not the one that signatures.head was signed over',
    ],
    [
      'after the log was replaced by a copy of itself',
      (dir) => {
        cpSync(join(dir, LOG), join(dir, 'copy'));
        renameSync(join(dir, 'copy'), join(dir, LOG));
      },
      'state_rolled_back',
      'signatures.log is not the file that the signed head was written for: the state folder was moved, or put back from a copy',
    ],
    [
      'after the key was removed',
      (dir) => rmSync(join(dir, 'ledger_ed25519')),
      'ledger_broken',
      'the ledger key is missing, but the ledger holds records',
    ],
  ])('%s is refused, and goes on after the break was accepted', async (_, change, code, message) => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 25);
    change(dir);
    const error = await refusalOf(open(dir));
    expect([error.code, error.message]).toEqual([code, message]);
    expect(error.hint).toContain('warden ledger accept --reason');

    const accepted = await acceptBreak(dir, 'the disk was swapped', { clock: new TestClock() });
    expect(accepted.seq).toBe(28n);
    const { ledger } = await openLedger(dir);
    expect(ledger.lastSerial()).toBe(25n);
    expect((await ledger.append(release(26))).seq).toBe(29n);
    await closeLedger(ledger);
    const result = await verifyLedger(dir);
    expect(result.findings).toEqual([]);
    expect(result.notes.map(({ what }) => what).join('\n')).toContain('accepted by hand');
    expect(result.notes.map(({ what }) => what).join('\n')).toContain('the disk was swapped');
  });

  it('from an older copy of the whole folder is refused: its log is another file', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 5);
    const copy = temporaryFolder();
    cpSync(dir, copy, { recursive: true });
    await writtenLedger(dir, 5);
    rmSync(dir, { recursive: true });
    cpSync(copy, dir, { recursive: true, preserveTimestamps: true });
    const error = await refusalOf(open(dir));
    expect(error.code).toBe('state_rolled_back');
    expect((await verifyLedger(dir)).findings).toEqual([
      {
        file: LOG,
        line: null,
        seq: null,
        what: 'this is not the file that the head was signed for: the state folder was moved, or put back from a copy',
      },
    ]);
  });

  it('from an older copy written into the very same files is refused: the anchor knows better', async () => {
    const { dir, anchorFile } = anchored();
    await writtenLedger(dir, 5, { anchorFile });
    const old = ['signatures.log', 'signatures.head'].map(
      (name) => [join(dir, name), readFileSync(join(dir, name))] as const,
    );
    await writtenLedger(dir, 5, { anchorFile });
    for (const [path, content] of old) writeFileSync(path, content);
    const error = await refusalOf(open(dir, anchorFile));
    expect([error.code, error.message]).toEqual([
      'state_rolled_back',
      `the ledger ends with record 5, but the anchor ${anchorFile} says record 11: 6 records are missing`,
    ]);
    expect((await verifyLedger(dir, { anchorFile })).findings).toEqual([
      {
        file: 'signatures.head',
        line: null,
        seq: 11,
        what: 'the anchor says record 11: an older state folder was put back',
      },
    ]);
    const accepted = await acceptBreak(dir, 'restored', { clock: new TestClock(), anchorFile });
    expect(accepted.seq).toBe(12n);
    const { ledger } = await openLedger(dir, { anchorFile });
    expect((await ledger.append(release(11))).seq).toBe(13n);
    await closeLedger(ledger);
    expect(await verifyLedger(dir, { anchorFile })).toMatchObject({ conforms: true });
  });

  it('in an emptied state folder is refused by the anchor, and the anchor of another folder is no matter', async () => {
    const { dir, anchorFile } = anchored();
    await writtenLedger(dir, 5, { anchorFile });
    const elsewhere = await openLedger(temporaryFolder(), { anchorFile });
    await closeLedger(elsewhere.ledger);
    await acceptBreak(dir, 'bind the anchor again', { clock: new TestClock(), anchorFile });
    rmSync(dir, { recursive: true });
    const error = await refusalOf(open(dir, anchorFile));
    expect([error.code, error.message]).toEqual([
      'state_rolled_back',
      `the anchor ${anchorFile} says that this state folder held record 6 of another ledger: the folder was replaced`,
    ]);
  });

  it('after its anchor was lost in a reboot goes on, and the anchor is there again', async () => {
    const { dir, anchorFile } = anchored();
    await writtenLedger(dir, 5, { anchorFile });
    rmSync(anchorFile);
    await writtenLedger(dir, 5, { anchorFile });
    expect(existsSync(anchorFile)).toBe(true);
    expect(await verifyLedger(dir, { anchorFile })).toMatchObject({ conforms: true, records: 11 });
  });

  it('with a ledger key that others may read is refused, with the mend', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 1);
    chmodSync(join(dir, 'ledger_ed25519'), 0o644);
    const error = await refusalOf(open(dir));
    expect([error.code, error.hint]).toEqual(['ledger_broken', `chmod 600 ${join(dir, 'ledger_ed25519')}`]);
  });

  it('after a break was accepted in the middle of the ledger lists it as accepted, and a further change as a finding', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 25);
    edit(dir, (lines) => lines.map((line, n) => (n === 4 ? forge(line, 'agt-state', 'agt-statf') : line)));
    await acceptBreak(dir, 'known', { clock: new TestClock() });
    const accepted = await verifyLedger(dir);
    expect(accepted.findings).toEqual([]);
    expect(accepted.notes).toContainEqual({
      file: LOG,
      line: 5,
      seq: 5,
      what: "the record's hash does not fit its bytes (accepted)",
    });
    edit(dir, (lines) => lines.map((line, n) => (n === 4 ? forge(line, 'agt-statf', 'agt-statg') : line)));
    expect((await verifyLedger(dir)).findings).toEqual([
      { file: LOG, line: 5, seq: 5, what: "the record's hash does not fit its bytes" },
    ]);
  });

  it('is accepted only with a reason', async () => {
    const dir = temporaryFolder();
    await writtenLedger(dir, 1);
    const error = await refusalOf(acceptBreak(dir, ' ', { clock: new TestClock() }));
    expect([error.code, error.message]).toEqual(['invalid_request', 'a break is accepted with a reason']);
  });
});
