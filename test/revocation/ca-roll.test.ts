import {
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clear, houseOf, records } from '../e2e/support.ts';
import { publishedKeys, type Signed, sign } from '../login/support/sign.ts';
import { makeSubject, type Subject } from '../login/support/subjects.ts';
import { makeCaKey } from '../support/ca-key.ts';
import { json, warden } from '../support/cli.ts';
import { type House, makeHouse, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { sshKeygen } from '../support/ssh-keygen.ts';
import { Sshd } from '../support/sshd.ts';

const COMMENTED = 'version: 1\nposture: test    # a comment that stays\nca: { key: ca_ed25519 }   # and this one\n';
const IN = { code: 0, stdout: 'ok\n', stderr: '' };
const OUT = { code: 255, stderr: expect.stringContaining('Permission denied (publickey).') };

describe('$ warden ca roll, with a daemon and a host', () => {
  let daemon: RunningDaemon;
  let host: Sshd;
  let subject: Subject;
  const roll = (...args: string[]) =>
    warden(['ca', 'roll', '--config', daemon.house.config, ...args], { env: { WARDEN_SOCKET: daemon.socket } });
  const yaml = (): string => readFileSync(join(daemon.house.config, 'warden.yaml'), 'utf8');
  const issue = (): Promise<Signed> => sign(daemon.socket, 'agt-test', subject);
  const login = ({ certificate, subject: { file } }: Signed) => host.login({ key: file, certificate });
  beforeAll(async () => {
    const house = houseOf('test');
    writeFileSync(join(house.config, 'warden.yaml'), COMMENTED, { mode: 0o600 });
    daemon = await startDaemon({ house });
    host = await Sshd.make({ trusts: await publishedKeys(daemon.socket), principals: ['agt-test'] });
    subject = await makeSubject('ssh-ed25519', 'roll-subject');
  });
  afterAll(async () => {
    host?.remove();
    await clear(daemon);
  });

  test('logins go on through every step, with certificates from before and after it', {
    timeout: 120_000,
  }, async () => {
    const first = await issue();
    expect((await roll()).stdout).toMatch(
      /^hosts must trust:\n {2}current {2}SHA256:\S+ {2}0 days old\nno roll is under way; /,
    );

    const begun = await roll('--begin');
    expect(begun).toMatchObject({ code: 0, stderr: '' });
    const [, next = ''] = /ca\.next: (\S+)/.exec(begun.stdout) ?? [];
    expect(yaml()).toBe(COMMENTED.replace('ca_ed25519 }', `ca_ed25519, next: ${next} }`));
    expect(statSync(join(daemon.house.config, next)).mode & 0o777).toBe(0o600);
    expect(begun.stdout).toMatch(/\nthe daemon has it in force: generation 2\n/);
    const published = await publishedKeys(daemon.socket);
    expect(published).toHaveLength(2);
    const early = await issue();
    expect(early.evidence.ca_fingerprint).toBe(first.evidence.ca_fingerprint);
    host.trust(published);
    for (const one of [first, early]) expect(await login(one)).toMatchObject(IN);

    const switched = await roll('--switch');
    expect(switched).toMatchObject({ code: 0, stderr: '' });
    expect(switched.stdout).toMatch(/ {2}current {2}SHA256:\S+ .*\n {2}retired {2}SHA256:/);
    const late = await issue();
    expect(late.evidence.ca_fingerprint).not.toBe(first.evidence.ca_fingerprint);
    for (const one of [first, early, late]) expect(await login(one)).toMatchObject(IN);
    host.trust(await publishedKeys(daemon.socket));
    for (const one of [first, early, late]) expect(await login(one)).toMatchObject(IN);

    const soon = await roll('--finish');
    expect(soon.code).toBe(1);
    expect(soon.stderr).toMatch(
      /certificates of the retired key may last until .*\n {2}why: roll_out_of_order\n {2}do: wait until then, or .*--finish --now$/m,
    );
    expect((await roll('--status')).stdout).toMatch(/\nswitched: certificates of the retired key may last until /);

    expect((await roll('--finish', '--now')).code).toBe(0);
    expect(yaml()).toContain('# a comment that stays');
    expect(yaml()).toContain('retired: [] }   # and this one');
    const keys = await publishedKeys(daemon.socket);
    expect(keys).toHaveLength(1);
    // A list made now shuts out certificates of the former key too: a host may not have heard of the end yet.
    const { code } = await warden(['revoke', '--serial', first.evidence.serial], {
      env: { WARDEN_SOCKET: daemon.socket },
    });
    expect(code).toBe(0);
    const asked = ['-Q', '-f', join(daemon.state, 'revoked.krl'), first.certificate, early.certificate];
    expect((await sshKeygen(asked)).stdout).toMatch(/: REVOKED\n.*: ok\n$/);
    host.trust(keys);
    expect(await login(late)).toMatchObject(IN);
    expect(await login(first)).toMatchObject(OUT);
    expect(
      (await records(daemon.house, { kind: 'reload', outcome: 'ok' })).flatMap(({ changes = [] }) => changes),
    ).toEqual(expect.arrayContaining([expect.stringMatching(/^next CA key/), expect.stringMatching(/^CA key/)]));
  });
});

describe('$ warden ca roll, in the folder alone', () => {
  let house: House;
  const roll = (...args: string[]) => warden(['ca', 'roll', '--config', house.config, ...args]);
  const yaml = (): string => readFileSync(join(house.config, 'warden.yaml'), 'utf8');
  beforeAll(() => {
    house = houseOf('test');
  });
  afterAll(() => house.remove());

  test('every wrong order is refused, and nothing is touched', async () => {
    const before = yaml();
    const files = readdirSync(house.config);
    for (const [step, message] of [
      ['--switch', 'there is no next key to switch to'],
      ['--finish', 'there is no retired key'],
    ] as const) {
      const result = await roll(step);
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
    }
    expect(await roll('--begin', '--switch')).toMatchObject({ code: 2 });
    for (const args of [['--begin', '--dry-run']])
      expect(await roll(...args)).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing was') });
    expect(yaml()).toBe(before);
    expect(readdirSync(house.config)).toEqual(files);
    expect((await roll('--begin')).code).toBe(0);
    expect(await roll('--begin')).toMatchObject({ code: 1, stderr: expect.stringContaining('a roll is under way') });
    expect(await roll('--finish')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('first: warden ca roll --switch'),
    });
    expect((await roll('--switch', '--dry-run')).stdout).toContain('would be done');
    expect((await roll('--switch')).code).toBe(0);
    expect(json(await roll('--json'))).toMatchObject({
      stage: 'switched',
      keys: [{ state: 'current', age_days: 0 }, { state: 'retired' }],
    });
  });

  test('a retired key whose certificates have all expired is let go without a word more', async () => {
    const [retired = ''] = readdirSync(house.config).filter((name) => name.includes('-retired-'));
    const old = retired.replace(/\d{8}T/, '20200101T');
    renameSync(join(house.config, retired), join(house.config, old));
    writeFileSync(join(house.config, 'warden.yaml'), yaml().replace(retired, old), { mode: 0o600 });
    expect(await roll('--finish')).toMatchObject({ code: 0, stderr: '' });
    expect(yaml()).toContain('retired: []');
  });

  test('a key of the user is taken as next, and one that the daemon would not take is refused', async () => {
    makeCaKey(join(house.config, 'synthetic_next'), 'synthetic-next');
    const before = yaml();
    const refused = await roll('--begin', '--next', 'synthetic_next');
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('takes no synthetic CA') });
    expect(yaml()).toBe(before);
    makeCaKey(join(house.config, 'my_next'), 'ca-next');
    expect((await roll('--begin', '--next', 'my_next')).code).toBe(0);
    expect(yaml()).toContain('next: my_next');
  });

  test('a config that is a link is left to whatever manages it', async () => {
    const linked = houseOf('test');
    try {
      const path = join(linked.config, 'warden.yaml');
      renameSync(path, join(linked.folder, 'elsewhere.yaml'));
      symlinkSync(join(linked.folder, 'elsewhere.yaml'), path);
      const result = await warden(['ca', 'roll', '--begin', '--config', linked.config]);
      expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('something else manages this config') });
    } finally {
      linked.remove();
    }
  });
});

describe('a CA key that is replaced under its own name', () => {
  test('is noticed by the next reload, in words, and signs from then on', async () => {
    const house = houseOf('test');
    const daemon = await startDaemon({ house });
    try {
      const [before] = await publishedKeys(daemon.socket);
      const key = join(house.config, 'ca_ed25519');
      makeCaKey(join(house.folder, 'other'), 'ca-other');
      // In place, so that the folder itself does not change: only a reload can notice.
      for (const end of ['', '.pub']) writeFileSync(key + end, readFileSync(join(house.folder, `other${end}`)));
      utimesSync(key, new Date(), new Date());
      daemon.signal('SIGHUP');
      const line = await daemon.waitForLog(({ msg }) => msg === 'config reloaded');
      expect(line.changes).toEqual(['ca: a key file was replaced']);
      const [after] = await publishedKeys(daemon.socket);
      expect(after).toMatch(/ ca-other$/);
      expect(after).not.toBe(before);
    } finally {
      await clear(daemon);
    }
  });

  test('by something that is no key leaves the former one in force, and says so', async () => {
    const house = houseOf('test');
    const daemon = await startDaemon({ house });
    try {
      const before = await publishedKeys(daemon.socket);
      writeFileSync(join(house.config, 'ca_ed25519'), 'no key\n');
      const result = await warden(['reload'], { env: { WARDEN_SOCKET: daemon.socket } });
      expect(result.code).toBe(2);
      expect(result.stderr).toContain('ca_ed25519');
      expect(await publishedKeys(daemon.socket)).toEqual(before);
    } finally {
      await clear(daemon);
    }
  });
});

describe('$ warden check looks at the CA key', () => {
  test.each([
    ['is missing', 'prod', (key: string) => rmSync(key), 1, /ca_ed25519 is not there/],
    ['is synthetic outside dev', 'test', (key: string) => makeSynthetic(key), 1, /takes no synthetic CA/],
    ['is open to others', 'test', (key: string) => writeMode(key), 1, /is open to others/],
    ['is missing in dev, where one is made', 'dev', (key: string) => rmSync(key), 0, /^$/],
    ['is good', 'prod', () => {}, 0, /^$/],
  ] as const)('where it %s', async (_, posture, spoil, code, problem) => {
    const house = posture === 'dev' ? makeHouse() : houseOf(posture);
    try {
      spoil(join(house.config, 'ca_ed25519'));
      const result = await warden(['check', '--config', house.config, '--json']);
      const { conforms, problems } = json(result) as { conforms: boolean; problems: { message: string }[] };
      expect({ code: result.code, conforms }).toEqual({ code, conforms: code === 0 });
      expect(problems.map(({ message }) => message).join()).toMatch(problem);
    } finally {
      house.remove();
    }
  });
});

function makeSynthetic(key: string): void {
  for (const file of [key, `${key}.pub`]) rmSync(file);
  makeCaKey(key, 'synthetic-ca');
}

function writeMode(key: string): void {
  const bytes = readFileSync(key);
  rmSync(key);
  writeFileSync(key, bytes, { mode: 0o644 });
}
