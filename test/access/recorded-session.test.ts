import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { houseWith, lastRecord, recordsOf, tempFolder, uid } from './support.ts';

const INVENTORY = `version: 1
actors:
  - { name: adm-recorded, type: adm, principals: [p], maturity: M3, callers: [{ uid: ${uid} }] }
  - { name: agt-example, type: agt, principals: [p], maturity: M3, callers: [{ uid: ${uid} }] }
`;
const ROUTES = `version: 1
routes:
  - id: npm-publish
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M1, data_class: internal }
    location: { prod: { mount: platform, path: workloads/ci/npm, fields: [token] } }
    fetch_capable: true
    exec_capable: true
    allow_unmasked: true
    inject: [{ field: token, env: NODE_AUTH_TOKEN }]
    actors: [adm-recorded, agt-example]
`;
const WARDEN = 'version: 1\nposture: dev\nrecording: { adm: on, max: 64KiB }\n';

/** Of sessions before this daemon's start. */
const OLD = '01890000-0000-7000-8000-000000000001.cast';
const YOUNG = '01890000-0000-7000-8000-000000000002.cast';

let daemon: RunningDaemon;
let value = '';
beforeAll(async () => {
  const house = houseWith({ warden: WARDEN, inventory: INVENTORY, routes: ROUTES });
  mkdirSync(join(house.state, 'recordings'), { mode: 0o700 });
  for (const [name, days] of Object.entries({ [OLD]: 31, [YOUNG]: 29 })) {
    const file = join(house.state, 'recordings', name);
    writeFileSync(file, '', { mode: 0o600 });
    utimesSync(file, new Date(), new Date(Date.now() - days * 86_400_000));
  }
  daemon = await startDaemon({ house });
  value = (await warden(['fetch', 'npm-publish', '--actor', 'adm-recorded'], { env: { WARDEN_SOCKET: daemon.socket } }))
    .stdout;
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

/** script's terminal puts a CR before each LF once more. */
const plain = (shown: string): string => shown.replaceAll('\r\r\n', '\r\n');

/** At a terminal of its own. */
async function session(actor: string, script: string, options = ''): Promise<{ code: number; shown: string }> {
  const file = join(daemon.house.folder, 'script.sh');
  writeFileSync(file, script);
  const words = `${process.execPath} ${builtPrograms().warden} exec ${options} --route npm-publish --actor ${actor} -- /bin/sh ${file}`;
  return promisify(execFile)('script', ['-qec', words, '/dev/null'], {
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent', TERM: 'xterm', WARDEN_SOCKET: daemon.socket },
    timeout: 30_000,
  }).then(
    ({ stdout }) => ({ code: 0, shown: plain(stdout) }),
    (error: { code: number; stdout: string }) => ({ code: error.code, shown: plain(error.stdout) }),
  );
}

const recordings = (): string[] => {
  const dir = join(daemon.state, 'recordings');
  return existsSync(dir) ? readdirSync(dir) : [];
};
function recordingOf(record: Record<string, unknown>): { text: string; shown: string } {
  const text = readFileSync(join(daemon.state, 'recordings', `${record.request_id}.cast`), 'utf8');
  const [, ...events] = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as string[]);
  return {
    text,
    shown: events
      .filter((event) => event[1] === 'o')
      .map((event) => event[2])
      .join(''),
  };
}

describe('a session at a terminal', () => {
  test('of an adm actor is recorded as it was shown, under the request of its records', async () => {
    const { code, shown } = await session('adm-recorded', 'echo "token $NODE_AUTH_TOKEN"; exit 7');
    expect(code).toBe(7);
    expect(shown).toContain('token [masked:npm-publish]\r\n');
    const recording = recordingOf(lastRecord(daemon.house));
    expect(recording.shown).toBe('token [masked:npm-publish]\r\n');
    expect(recording.text).not.toContain(value);
    expect(JSON.parse(recording.text.split('\n')[0] ?? '')).toMatchObject({
      version: 2,
      command: expect.stringMatching(/sh$/),
      warden: { actor: 'adm-recorded', routes: ['npm-publish'] },
    });
  });

  test('plays in asciinema to the bytes that were shown', async () => {
    const script = `printf 'caf\\303\\251 \\033[31mred\\033[0m \\342\\234\\223 %s\\n' "$NODE_AUTH_TOKEN"; printf 'a\\tb\\rc'; printf '"\\\\'`;
    expect((await session('adm-recorded', script)).code).toBe(0);
    const file = join(daemon.state, 'recordings', `${lastRecord(daemon.house).request_id}.cast`);
    expect(statSync(file).mode & 0o7777).toBe(0o600);
    expect(statSync(join(file, '..')).mode & 0o7777).toBe(0o700);
    expect([statSync(file).uid, statSync(file).gid]).toEqual([uid, process.getgid?.()]);
    // asciinema wants a terminal: script gives it one.
    const { stdout } = await promisify(execFile)('script', ['-qec', `asciinema cat ${file}`, '/dev/null'], {
      env: { PATH: process.env.PATH ?? '', HOME: tempFolder(), LC_ALL: 'C.UTF-8', TERM: 'xterm' },
      timeout: 30_000,
    });
    expect(plain(stdout)).toBe('café \x1b[31mred\x1b[0m ✓ [masked:npm-publish]\r\na\tb\rc"\\');
  });

  test('that is shown as it is has a masked recording all the same', async () => {
    const { shown } = await session('adm-recorded', 'echo "token $NODE_AUTH_TOKEN"', '--no-mask');
    expect(shown).toContain(`token ${value}`);
    const recording = recordingOf(lastRecord(daemon.house));
    expect(recording.shown).toBe('token [masked:npm-publish]\r\n');
    expect(recording.text).not.toContain(value);
  });

  test('of an agt actor is not, where agt is off', async () => {
    const before = recordings();
    expect((await session('agt-example', 'echo hello')).shown).toContain('hello');
    expect(recordings()).toEqual(before);
  });

  test('of before is removed by a daemon that starts once it has been kept for thirty days', async () => {
    await expect.poll(recordings, { timeout: 10_000 }).not.toContain(OLD);
    expect(recordings()).toContain(YOUNG);
  });

  test('of an agt actor is, once the settings that are reloaded say so', async () => {
    writeFileSync(join(daemon.house.config, 'warden.yaml'), WARDEN.replace('adm: on', 'adm: on, agt: on'));
    // Where the daemon has seen the new file by itself, nothing changes with this.
    expect(await warden(['reload'], { env: { WARDEN_SOCKET: daemon.socket } })).toMatchObject({ code: 0 });
    await session('agt-example', 'echo hello');
    expect(recordingOf(lastRecord(daemon.house)).shown).toBe('hello\r\n');
  });

  test('without a terminal is not', async () => {
    const before = recordings();
    const args = ['exec', '--route', 'npm-publish', '--actor', 'adm-recorded', '--', '/bin/echo', 'hello'];
    const result = await warden(args, { env: { WARDEN_SOCKET: daemon.socket } });
    expect([result.code, result.stdout]).toEqual([0, 'hello\n']);
    expect(recordings()).toEqual(before);
  });

  test('ends where its recording is full, and nothing more is shown', async () => {
    const { shown } = await session('adm-recorded', 'yes 0123456789abcdef | head -c 1000000; sleep 600');
    const end = lastRecord(daemon.house);
    expect(end).toMatchObject({ kind: 'exec_end', reason: 'recording_failed' });
    const recording = recordingOf(end);
    expect(recording.text.length).toBeLessThanOrEqual(65_536);
    const linesIn = (text: string): number => text.split('0123456789abcdef').length;
    expect(linesIn(shown)).toBeGreaterThan(100);
    expect(linesIn(shown)).toBeLessThanOrEqual(linesIn(recording.shown));
  });

  test('does not begin where it cannot be recorded', async () => {
    const dir = join(daemon.state, 'recordings');
    chmodSync(dir, 0o755);
    try {
      const { code, shown } = await session('adm-recorded', 'echo hello');
      expect([code, shown.includes('hello')]).toEqual([125, false]);
      expect(shown).toContain('why: recording_failed');
      expect(recordsOf(daemon.house).at(-1)).toMatchObject({ outcome: 'failed', reason: 'recording_failed' });
    } finally {
      chmodSync(dir, 0o700);
    }
  });
});
