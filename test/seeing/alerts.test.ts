import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runAlert } from '../../daemon/seeing/alert-program.ts';
import { BurstWatch } from '../../daemon/seeing/burst.ts';
import { parseBurst } from '../../src/config/schema/alerts.ts';
import { Client, clear, NO_LIMITS, refusalOf } from '../e2e/support.ts';
import { DEV_WARDEN, type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';

const refusal = { reason: 'policy_denied', method: 'Sign', uid: 1000 };

describe('a burst of refusals', () => {
  test('is so many within the window, and no fewer', () => {
    const watch = new BurstWatch({ count: 3, windowMs: 1000, quietMs: 5000 });
    expect([0, 600, 1100, 1500].map((at) => watch.add(refusal, at) !== null)).toEqual([false, false, false, true]);
  });

  test('is told once until it was quiet for long enough, with what came meanwhile', () => {
    const watch = new BurstWatch({ count: 2, windowMs: 1000, quietMs: 5000 });
    expect(watch.add(refusal, 0)).toBeNull();
    expect(watch.add({ ...refusal, reason: 'rate_limited', uid: null }, 10)).toEqual({
      count: 2,
      windowMs: 1000,
      reasons: { policy_denied: 1, rate_limited: 1 },
      methods: { Sign: 2 },
      uids: { 1000: 1, unknown: 1 },
      sinceLastAlert: 2,
    });
    for (let at = 20; at < 5000; at += 100) expect(watch.add(refusal, at)).toBeNull();
    expect(watch.add(refusal, 5011)).toMatchObject({ count: 2, sinceLastAlert: 51 });
  });

  test('is found exactly where counting them all finds it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 80 }),
        (count, gaps) => {
          const watch = new BurstWatch({ count, windowMs: 1000, quietMs: 1500 });
          const times: number[] = [];
          let quietUntil = -1;
          let at = 0;
          for (const gap of gaps) {
            at += gap;
            times.push(at);
            const first = times[times.length - count];
            const expected = first !== undefined && at - first <= 1000 && at >= quietUntil;
            expect(watch.add(refusal, at) !== null).toBe(expected);
            if (expected) quietUntil = at + 1500;
          }
        },
      ),
    );
  });

  test('names twenty callers at most', () => {
    const watch = new BurstWatch({ count: 100, windowMs: 1000, quietMs: 1 });
    let burst = null;
    for (let uid = 0; uid < 100; uid += 1) burst = watch.add({ ...refusal, uid }, 1);
    expect(Object.keys(burst?.uids ?? {})).toHaveLength(20);
  });

  test.each([
    ['20/1m', { count: 20, windowMs: 60_000 }],
    ['1/1s', { count: 1, windowMs: 1000 }],
    ['10000/24h', { count: 10_000, windowMs: 86_400_000 }],
    ['0/1m', null],
    ['10001/1m', null],
    ['5/500ms', null],
    ['5/25h', null],
    ['5', null],
    ['5/m', null],
  ])('%s is %j', (text, expected) => {
    expect(parseBurst(text)).toEqual(expected);
  });
});

describe('the program of an alert', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warden-alert-'));
  const uid = process.geteuid?.() ?? 0;
  const never = new AbortController().signal;
  const program = (name: string, text: string, mode = 0o700): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('gets its arguments as they are, the object on stdin, and nothing of our environment', async () => {
    const out = join(folder, 'out');
    const path = program('good', `#!/bin/sh\n{ printf '<%s>' "$@"; echo; cat; env | sort; pwd; } > "${out}"\n`);
    process.env.WARDEN_ALERT_CANARY = 'canary';
    const run = await runAlert([path, 'a b', '$(id)', ';'], { v: 1, text: 'x' }, { uid, signal: never });
    delete process.env.WARDEN_ALERT_CANARY;
    expect(run).toEqual({ end: 'done', detail: 'exit 0' });
    const seen = readFileSync(out, 'utf8');
    expect(seen).toMatch(/^<a b><\$\(id\)><;>\n\{"v":1,"text":"x"\}\n/);
    expect(seen).not.toContain('canary');
    expect(seen).toMatch(/\n\/\n$/);
  });

  test.each<[string, () => string, object]>([
    ['that fails', () => program('fails', '#!/bin/sh\nexit 7\n'), { end: 'failed', detail: 'exit 7' }],
    ['that reads nothing', () => program('deaf', '#!/bin/sh\nexec <&-\nexit 0\n'), { end: 'done' }],
    ['that is not there', () => join(folder, 'missing'), { end: 'refused', detail: 'ENOENT' }],
    ['that is no program', () => program('text', 'text', 0o600), { end: 'refused', detail: 'EACCES' }],
    [
      'that others may write',
      () => program('open', '#!/bin/sh\n', 0o722),
      { end: 'refused', detail: 'writable by group and others' },
    ],
    ['that is a folder', () => folder, { end: 'refused', detail: 'not a regular file' }],
    [
      'that takes too long, with what it started',
      () => program('slow', '#!/bin/sh\nsleep 60 & wait\n'),
      { end: 'killed', detail: 'it took too long' },
    ],
  ])('%s', async (_what, path, expected) => {
    const run = await runAlert([path()], { big: 'x'.repeat(200_000) }, { uid, signal: never, timeoutMs: 500 });
    expect(run).toMatchObject(expected);
  });

  test('ends with the daemon', async () => {
    const ending = new AbortController();
    const path = program('endless', '#!/bin/sh\nsleep 60\n');
    const run = runAlert([path], {}, { uid, signal: ending.signal });
    setImmediate(() => ending.abort());
    expect(await run).toMatchObject({ end: 'killed', detail: 'SIGKILL' });
  });
});

describe('a daemon with an alert', () => {
  let house: House;
  let daemon: RunningDaemon;
  let client: Client;
  let out: string;

  beforeAll(async () => {
    house = makeHouse();
    out = join(house.folder, 'alerts');
    const hook = join(house.folder, 'hook');
    writeFileSync(hook, `#!/bin/sh\ncat >> "$1"\n`, { mode: 0o700 });
    const alerts = `alerts: { refusals: 3/1m, command: ["${hook}", "${out}"], quiet: 1h }\n`;
    writeConfig(house, { warden: `${DEV_WARDEN}${NO_LIMITS}${alerts}` });
    daemon = await startDaemon({ house });
    client = await Client.open(daemon.socket);
  });
  afterAll(async () => {
    client.close();
    await clear(daemon, house);
  });

  test('tells the program and the log of the burst, once', async () => {
    await client.sign();
    for (let i = 0; i < 2; i += 1) await refusalOf(client.sign({ actor: 'agt-foreign', reason: 'canary-reason' }));
    await refusalOf(client.sign({ principals: ['root'] }));
    for (let i = 0; i < 5; i += 1) await refusalOf(client.sign({ actor: 'agt-foreign' }));
    await daemon.waitForLog(({ msg }) => msg === 'alert delivered');
    const told = readFileSync(out, 'utf8');
    expect(told.trimEnd().split('\n')).toHaveLength(1);
    expect(JSON.parse(told)).toEqual({
      v: 1,
      alert: 'refusals',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      count: 3,
      window_ms: 60_000,
      since_last_alert: 3,
      reasons: { caller_not_allowed: 2, disallowed_principal: 1 },
      methods: { Sign: 3 },
      uids: { [process.getuid?.() ?? 0]: 3 },
      posture: 'dev',
      generation: 1,
      ledger_seq: expect.any(Number),
    });
    expect(told).not.toMatch(/canary|foreign/);
    expect(await daemon.waitForLog(({ msg }) => msg === 'burst of refusals')).toMatchObject({
      level: 'warn',
      count: 3,
    });
    expect(daemon.stderr.filter((line) => line.includes('burst of refusals'))).toHaveLength(1);
  });

  test('says what a reload changes of it, and what is wrong with it', async () => {
    writeConfig(house, { warden: `${DEV_WARDEN}${NO_LIMITS}alerts: { refusals: 5/1m }\n` });
    expect((await client.reload()).changes.join()).toMatch(
      /alerts 3 refusals in 60 s, every 3600 s, to .*hook .* → 5 refusals in 60 s, every 600 s, to the log/,
    );
    writeConfig(house, { warden: `${DEV_WARDEN}alerts: { command: [hook] }\n` });
    expect((await client.reload()).problems.join()).toMatch(/the program is not an absolute path/);
    writeConfig(house, { warden: `${DEV_WARDEN}alerts: { refusals: often }\n` });
    expect((await client.reload()).problems.join()).toMatch(/not a burst/);
    writeConfig(house, { warden: `${DEV_WARDEN}alerts: { command: [/bin/true] }\n` });
    await client.reload();
    expect((await client.status()).notices.join()).toMatch(/alerts\.command never runs/);
  });
});
