import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { houseWith, ROUTES } from '../access/support.ts';
import { Client, clear, KEY, NO_LIMITS, records, refusalOf } from '../e2e/support.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { DEV_WARDEN, type House, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';

const uid = process.getuid?.() ?? 0;
const inventory = (quota: string): string => `version: 1
actors:
  - { name: agt-m3, type: agt, principals: [p], maturity: M3, callers: [{ uid: ${uid} }]${quota} }
  - { name: agt-free, type: agt, principals: [p], callers: [{ uid: ${uid} }] }
`;
const WARDEN = `${DEV_WARDEN}${NO_LIMITS}`;

const RUNNABLE = `  - id: runnable
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: workloads/z, fields: [v] } }
    exec_capable: true
    inject: [{ field: v, env: V }]
    actors: [agt-m3]
`;

let house: House;
let daemon: RunningDaemon;
let client: Client;

beforeAll(async () => {
  house = houseWith({});
  writeConfig(house, { warden: WARDEN, inventory: inventory('') });
  writeFileSync(
    join(house.config, 'routes.yaml'),
    ROUTES.replaceAll('agt-m0, agt-m1, ', '')
      .replaceAll('agt-m1, ', '')
      .replaceAll('agt-foreign', 'agt-free')
      .concat(RUNNABLE),
  );
  writeFileSync(join(house.folder, 'key.pub'), KEY);
  daemon = await startDaemon({ house });
  client = await Client.open(daemon.socket);
});

afterAll(async () => {
  client.close();
  await clear(daemon, house);
});

async function withQuota(quota: string): Promise<void> {
  writeConfig(house, { warden: WARDEN, inventory: inventory(quota) });
  await client.reload();
}

async function restart(): Promise<void> {
  client.close();
  await daemon.stop();
  daemon = await startDaemon({ house });
  client = await Client.open(daemon.socket);
}

function run(args: string): Promise<CliResult> {
  return warden(args.split(' '), { cwd: house.folder, env: { WARDEN_SOCKET: daemon.socket } });
}

const sign = (actor = 'agt-m3') => client.sign({ actor });

describe('a quota of an actor', () => {
  test('counts what was released today before it was there, and admits exactly so many of a crowd', async () => {
    await sign();
    await restart();
    await sign();
    await refusalOf(client.sign({ actor: 'agt-m3', ttlSeconds: 999_999_999n }));
    await withQuota(', quota: { sign: 10/d, fetch: 1/d }');
    const crowd = await Promise.allSettled(Array.from({ length: 30 }, () => sign()));
    expect(crowd.filter(({ status }) => status === 'fulfilled')).toHaveLength(8);
    const released = await records(house, { kind: 'sign', outcome: 'ok', actor: 'agt-m3' });
    expect(released).toHaveLength(10);
  });

  test('is refused with the time at which it begins anew, on the wire, on the screen and on record', async () => {
    const refused = await refusalOf(sign());
    expect(refused).toMatchObject({ status: 8, reason: 'quota_exceeded' });
    expect(refused.message).toMatch(
      /^agt-m3 has had its 10 of sign for today; it begins anew at \d{4}-\d\d-\d\dT00:00:00Z$/,
    );
    expect(refused.details.retryAfterMs).toBeGreaterThan(0);
    expect(refused.details.retryAfterMs).toBeLessThanOrEqual(86_400_000);
    const shown = await run('sign agt-m3 --pubkey key.pub');
    expect(shown.code).toBe(1);
    expect(shown.stderr).toMatch(
      /^warden: refused: agt-m3 has had its 10 of sign for today; .*\n {2}why: quota_exceeded · ledger \d+ · request \S+\n {2}do: wait \d+[hms].*\n$/,
    );
    const [record] = await records(house, { reason: 'quota_exceeded' });
    expect(record).toMatchObject({ kind: 'sign', outcome: 'refused', actor: 'agt-m3', certificate_issued: false });
  });

  test('issue counts as sign, fetch for itself, and others are not concerned', async () => {
    const issued = await run('issue agt-m3 --out issued --json');
    expect(json(issued)).toMatchObject({ error: { reason: 'quota_exceeded' } });
    expect((await run('fetch npm-publish --actor agt-m3')).code).toBe(0);
    expect(json(await run('fetch npm-publish --actor agt-m3 --json'))).toMatchObject({
      error: { reason: 'quota_exceeded' },
    });
    await sign('agt-free');
  });

  test('shows in actors, in status and in an explanation', async () => {
    const { actors } = json(await run('actors --json')) as { actors: { name: string; quotas: object[] }[] };
    expect(actors.find(({ name }) => name === 'agt-m3')?.quotas).toEqual([
      { kind: 'sign', limit: 10, used: 10, resets_at: expect.stringMatching(/T00:00:00/) },
      { kind: 'fetch', limit: 1, used: 1, resets_at: expect.any(String) },
    ]);
    expect((await run('actors')).stdout).toMatch(
      /USED TODAY +PRINCIPALS\nagt-free .* - .*\nagt-m3 .*sign 10\/10 fetch 1\/1/,
    );
    expect((await client.status()).notices).toContainEqual(
      expect.stringMatching(/^quotas used up until \S+Z: agt-m3 \(10 of sign\), agt-m3 \(1 of fetch\)$/),
    );
    const explained = await run('explain sign agt-m3 --pubkey key.pub');
    expect(explained.code).toBe(1);
    expect(explained.stdout).toMatch(/\n {2}NO {2}quota .*\n {8}needed: at most 10 of sign in a day \(UTC\)\n/);
    expect((await run('explain sign agt-free --pubkey key.pub')).stdout).toMatch(/quota +not asked/);
  });

  test('of commands is used up by the one that ran, and the next is not started', async () => {
    writeConfig(house, { warden: WARDEN, inventory: inventory(', quota: { sign: 10/d, fetch: 1/d, exec: 1/d }') });
    await client.reload();
    const first = await run('exec --actor agt-m3 --route runnable --no-stdin -- /bin/true');
    expect(first).toMatchObject({ code: 0 });
    const second = await run('exec --actor agt-m3 --route runnable --no-stdin -- /bin/true');
    expect(second.code).toBe(125);
    expect(second.stderr).toMatch(/agt-m3 has had its 1 of exec for today/);
    expect(await records(house, { kind: 'exec_start', outcome: 'ok' })).toHaveLength(1);
  });

  test('survives a restart', async () => {
    await restart();
    expect((await refusalOf(sign())).reason).toBe('quota_exceeded');
  });

  test('takes effect at once where it is raised, and says who gained what', async () => {
    writeConfig(house, { warden: WARDEN, inventory: inventory(', quota: { sign: 11/d }') });
    const { changes } = await client.reload();
    expect(changes.join('\n')).toMatch(/agt-m3.*quota of sign 10\/d → 11\/d/);
    expect(changes.join('\n')).toMatch(/quota of fetch 1\/d → none/);
    expect(changes.join('\n')).toMatch(/quota of exec 1\/d → none/);
    await sign();
    expect((await refusalOf(sign())).reason).toBe('quota_exceeded');
  });

  test.each([
    ['{ sign: "200" }', /not a quota/],
    ['{ sign: 200/h }', /not a quota/],
    ['{ signs: 200/d }', /`sign`/],
  ])('%s is a problem of the config, with the mend', async (quota, words) => {
    writeConfig(house, { warden: WARDEN, inventory: inventory(`, quota: ${quota}`) });
    const { problems } = await client.reload();
    expect(problems.join('\n')).toMatch(words);
  });
});
