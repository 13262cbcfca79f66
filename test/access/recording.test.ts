import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileRecorder, type FileRecorder } from '../../src/access/file-recorder.ts';
import type { RecordedSession, Recording } from '../../src/access/recorder.ts';
import type { RecordingSettings } from '../../src/access/recording-settings.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newRequestId } from '../../src/kernel/request-id.ts';
import { ensurePrivateDir } from '../../src/unix/private-dir.ts';

let dir = '';
let settings: RecordingSettings;
let troubles: string[] = [];
let monotonic = 0;
let recorder: FileRecorder;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warden-recording-'));
  settings = { types: ['adm'], dir: null, retentionMs: 86_400_000, maxBytes: 100_000 };
  troubles = [];
  monotonic = 0;
  recorder = createFileRecorder({
    settings: () => settings,
    defaultDir: join(dir, 'recordings'),
    checkDir: (path) => ensurePrivateDir(path, process.geteuid?.() ?? -1, true),
    clock: { now: systemClock.now, monotonic: () => monotonic },
    onTrouble: (what) => troubles.push(what),
  });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const session = (change: Partial<RecordedSession> = {}): RecordedSession => ({
  requestId: newRequestId(),
  actor: 'adm-example',
  actorType: 'adm',
  routes: ['npm-publish'],
  command: 'npm',
  terminal: { columns: 80, rows: 24 },
  term: 'xterm-256color',
  ...change,
});
const begin = async (of: RecordedSession): Promise<Recording> => {
  const recording = await recorder.begin(of);
  if (recording === null) throw new Error('not recorded');
  return recording;
};
const files = (): string[] => readdirSync(join(dir, 'recordings'));
const fileOf = ({ requestId }: RecordedSession): string => join(dir, 'recordings', `${requestId}.cast`);

async function recorded(): Promise<RecordedSession> {
  const of = session();
  const recording = await begin(of);
  monotonic = 1500;
  await recording.shown(Buffer.from('\x1b[32mtoken\x1b[0m [masked:npm-publish]\r\n'));
  const euro = Buffer.from('€');
  await recording.shown(euro.subarray(0, 1));
  await recording.resized({ columns: 120, rows: 40 });
  monotonic = 2250.125;
  await recording.shown(euro.subarray(1));
  await recording.end({ exitCode: 0, signal: null });
  return of;
}

describe('a recording', () => {
  it('is an asciicast of version 2: what was shown, when, and how wide', async () => {
    const of = await recorded();
    const lines = readFileSync(fileOf(of), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([
      {
        version: 2,
        width: 80,
        height: 24,
        timestamp: expect.closeTo(Date.now() / 1000, -2),
        title: `npm for adm-example, request ${of.requestId}`,
        command: 'npm',
        env: { TERM: 'xterm-256color' },
        warden: { request_id: of.requestId, actor: 'adm-example', routes: ['npm-publish'] },
      },
      [1.5, 'o', '\x1b[32mtoken\x1b[0m [masked:npm-publish]\r\n'],
      [1.5, 'r', '120x40'],
      [2.250125, 'o', '€'],
    ]);
  });

  it('plays in asciinema', async () => {
    const of = await recorded();
    // asciinema wants a terminal: script gives it one.
    const asciinema = (command: string) =>
      spawnSync('script', ['-qec', `asciinema ${command} ${fileOf(of)}`, '/dev/null'], {
        encoding: 'utf8',
        timeout: 30_000,
        env: { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', HOME: dir },
      });
    const cat = asciinema('cat');
    expect([cat.status, cat.stdout]).toEqual([0, '\x1b[32mtoken\x1b[0m [masked:npm-publish]\r\n€']);
    const played = asciinema('play -s 1000');
    expect([played.status, played.stdout.includes('token\x1b[0m [masked:npm-publish]\r\n€')]).toEqual([0, true]);
  });

  it('is for the daemon alone to read', async () => {
    const of = await recorded();
    expect(statSync(fileOf(of)).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, 'recordings')).mode & 0o777).toBe(0o700);
  });

  it('is not made for a type of actor that is not recorded', async () => {
    expect(await recorder.begin(session({ actorType: 'agt' }))).toBeNull();
    expect(existsSync(join(dir, 'recordings'))).toBe(false);
    settings = { ...settings, types: ['agt'] };
    expect(await recorder.begin(session({ actorType: 'adm' }))).toBeNull();
    await (await begin(session({ actorType: 'agt' }))).end(null);
  });

  it('is whole where output and resizes come at once', async () => {
    const of = session();
    const recording = await begin(of);
    await Promise.all(
      [...Array(50).keys()].flatMap((at) => [
        recording.shown(Buffer.from(`line ${at}\r\n`)),
        recording.resized({ columns: at + 1, rows: 24 }),
      ]),
    );
    await recording.end(null);
    const lines = readFileSync(fileOf(of), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line[1] === 'o').map((line) => line[2])).toEqual(
      [...Array(50).keys()].map((at) => `line ${at}\r\n`),
    );
    expect(lines).toHaveLength(101);
  });
});

describe('a session that cannot be recorded', () => {
  it.each([
    ['the folder is open to others', () => chmodSync(join(dir, 'recordings'), 0o755)],
    [
      'the folder is a file',
      () => {
        rmSync(join(dir, 'recordings'), { recursive: true });
        writeFileSync(join(dir, 'recordings'), '');
      },
    ],
  ])('does not begin: %s', async (_, spoil) => {
    await recorded();
    spoil();
    await expect(recorder.begin(session())).rejects.toMatchObject({
      code: 'recording_failed',
      message: 'the session cannot be recorded',
    });
  });

  it('does not begin where its file is there already', async () => {
    const of = await recorded();
    const before = readFileSync(fileOf(of));
    await expect(recorder.begin(of)).rejects.toMatchObject({ code: 'recording_failed' });
    expect(readFileSync(fileOf(of))).toEqual(before);
  });

  it('fails where its recording is full, and at each further write', async () => {
    settings = { ...settings, maxBytes: 1000 };
    const of = session();
    const recording = await begin(of);
    const full = { code: 'recording_failed', message: 'the recording has reached its 1000 bytes' };
    await expect(recording.shown(Buffer.alloc(2000, 'x'))).rejects.toMatchObject(full);
    await expect(recording.shown(Buffer.from('y'))).rejects.toMatchObject(full);
    await recording.end(null);
    expect(readFileSync(fileOf(of), 'utf8')).not.toContain('y"');
    expect(troubles).toEqual(['a recording was not closed well']);
  });
});

describe('retention', () => {
  const age = (of: RecordedSession, hours: number): void => {
    const at = Date.now() / 1000 - hours * 3600;
    utimesSync(fileOf(of), at, at);
  };

  it('removes what was last written to longer ago, and nothing else', async () => {
    const [old, fresh] = [await recorded(), await recorded()];
    age(old, 25);
    age(fresh, 23);
    writeFileSync(join(dir, 'recordings', 'notes.txt'), 'mine');
    utimesSync(join(dir, 'recordings', 'notes.txt'), 0, 0);
    await recorder.sweep();
    expect(files().sort()).toEqual([`${fresh.requestId}.cast`, 'notes.txt'].sort());
    expect(troubles).toEqual([]);
  });

  it('leaves a session alone that is still recorded', async () => {
    const of = session();
    const recording = await begin(of);
    age(of, 1000);
    await recorder.sweep();
    expect(files()).toEqual([`${of.requestId}.cast`]);
    await recording.end(null);
    age(of, 1000);
    await recorder.sweep();
    expect(files()).toEqual([]);
  });

  it('follows the settings of now, and a folder that is not there', async () => {
    await recorder.sweep();
    const of = await recorded();
    age(of, 2);
    settings = { ...settings, types: [], retentionMs: 3_600_000 };
    await recorder.sweep();
    expect([files(), troubles]).toEqual([[], []]);
    expect(existsSync(fileOf(of))).toBe(false);
  });
});
