import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { parseCertificateLine } from '../../src/ssh/certificate.ts';
import { type House, plainInventory, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { Client, findings, houseOf, NO_LIMITS, records, refusalOf } from './support.ts';

let daemon: RunningDaemon;
let house: House;
let client: Client;

afterEach(async () => {
  client?.close();
  await daemon?.stop('SIGKILL');
  house?.remove();
});

const WARDEN = `version: 1\nposture: dev\n${NO_LIMITS}`;

async function start(inventory = plainInventory()): Promise<void> {
  house = houseOf('dev', NO_LIMITS, inventory);
  daemon = await startDaemon({ house });
  client = await Client.open(house.socket);
}

/** As editors save: whole or not at all. */
function save(name: string, text: string): void {
  const target = join(house.config, name);
  writeFileSync(`${target}.new`, text, { mode: 0o600 });
  renameSync(`${target}.new`, target);
}

const actor = (name: string, principal: string): string =>
  `  - { name: ${name}, type: agt, principals: [${principal}], callers: [{ uid: ${process.getuid?.()} }] }\n`;
const inventoryOf = (...actors: string[]): string => `version: 1\nactors:\n${actors.join('')}`;

describe('a reload puts the newest files in force', () => {
  const triggers: readonly (readonly [string, () => unknown])[] = [
    ['the Reload RPC', () => client.reload()],
    ['SIGHUP', () => daemon.signal('SIGHUP')],
    ['nothing but the save itself', () => undefined],
  ];
  it.each(triggers)('through %s', async (_name, trigger) => {
    await start();
    expect((await client.sign()).evidence?.generation).toBe(1n);
    save('inventory.yaml', inventoryOf(actor('agt-new', 'new')));
    await trigger();
    await client.statusBecomes(({ snapshot }) => snapshot?.generation === 2n);
    expect((await client.sign({ actor: 'agt-new' })).evidence).toMatchObject({ generation: 2n, principals: ['new'] });
    expect(await refusalOf(client.sign())).toMatchObject({ reason: 'caller_not_allowed' });
    const { snapshot, notices } = await client.status();
    expect(snapshot?.changes.join('\n')).toContain('agt-new');
    expect(snapshot?.changes.join('\n')).toContain('agt-test');
    expect(notices.join('\n')).toContain('registry hand-over due');
    const [reload] = await records(house, { kind: 'reload' });
    expect(reload).toMatchObject({ outcome: 'ok', generation: 2 });
    expect(reload?.changes?.join('\n')).toContain('registry hand-over due');
  });

  it('with 10,000 actors, by the save alone', async () => {
    await start();
    const many = Array.from({ length: 10_000 }, (_, n) => actor(`agt-many-${n}`, `many-${n}`));
    save('inventory.yaml', inventoryOf(...many));
    const { snapshot } = await client.statusBecomes((status) => status.snapshot?.generation === 2n);
    expect(snapshot?.actors).toBe(10_000);
    expect((await client.sign({ actor: 'agt-many-9999' })).evidence?.principals).toEqual(['many-9999']);
  });

  it('and says that nothing changed where nothing did', async () => {
    await start();
    const { changed, generation, problems, changes } = await client.reload();
    expect({ changed, generation, problems, changes }).toEqual({
      changed: false,
      generation: 1n,
      problems: [],
      changes: [],
    });
    expect(await records(house, { kind: 'reload' })).toEqual([]);
  });
});

describe('a file that cannot be keeps the former state in force', () => {
  const rows: readonly (readonly [string, string, () => void])[] = [
    ['broken YAML', 'inventory.yaml:', () => save('inventory.yaml', 'version: 1\nactors: [')],
    [
      'an unknown key',
      'warden.yaml:3:1: unknown key `colour`',
      () => save('warden.yaml', 'version: 1\nposture: dev\ncolour: red\n'),
    ],
    ['an empty file', 'inventory.yaml', () => save('inventory.yaml', '')],
    [
      'another posture',
      '`posture` is fixed while the daemon runs',
      () => save('warden.yaml', `version: 1\nposture: test\n`),
    ],
    [
      'another socket mode',
      '`socket.mode` is fixed while the daemon runs',
      () => save('warden.yaml', `${WARDEN}socket: { mode: "0660" }\n`),
    ],
    [
      'a file that its group can write',
      'writable by its group',
      () => chmodSync(join(house.config, 'inventory.yaml'), 0o660),
    ],
    [
      'a CA key that is not there',
      'nowhere',
      () => save('warden.yaml', `${WARDEN}ca: { key: "credential:nowhere" }\n`),
    ],
  ];
  it.each(rows)('%s: status, health, log and ledger say so, until it is mended', async (_name, problem, spoil) => {
    await start();
    expect(await client.health('config')).toBe('SERVING');
    spoil();
    const { problems, changed, generation } = await client.reload();
    expect({ changed, generation }).toEqual({ changed: false, generation: 1n });
    expect(problems.join('\n')).toContain(problem);
    expect((await client.sign()).evidence?.generation).toBe(1n);
    expect(await client.health('config')).toBe('NOT_SERVING');
    expect(await client.health('')).toBe('SERVING');
    const { snapshot, dependencies } = await client.status();
    expect(snapshot?.problems.join('\n')).toContain(problem);
    expect(dependencies.find(({ name }) => name === 'config')).toMatchObject({ state: 'not_serving' });
    await daemon.waitForLog(({ msg }) => msg === 'config refused, the former one stays in force');
    const refused = await records(house, { kind: 'reload', outcome: 'refused' });
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]).toMatchObject({
      generation: 1,
      reason: expect.stringMatching(/^(config_invalid|restart_required|preflight_failed)$/),
    });

    writeConfig(house, { warden: WARDEN, inventory: plainInventory() });
    chmodSync(join(house.config, 'inventory.yaml'), 0o600);
    expect((await client.reload()).problems).toEqual([]);
    expect(await client.health('config')).toBe('SERVING');
    expect((await client.status()).snapshot?.problems).toEqual([]);
  });

  it('is told to administrators in full and to nobody else', async () => {
    house = houseOf('dev', `${NO_LIMITS}admins: [{ uid: 4242 }]\n`);
    daemon = await startDaemon({ house });
    client = await Client.open(house.socket);
    const refused = await refusalOf(client.reload());
    expect(refused).toMatchObject({
      status: 7,
      reason: 'not_administrator',
      message: 'only an administrator of this daemon may do that',
    });
    const recorded = await records(house, { kind: 'reload', outcome: 'refused' });
    expect(recorded).toMatchObject([{ reason: 'not_administrator', caller: { uid: process.getuid?.() } }]);
    expect(refused.details.ledgerSeq).toMatch(/^\d+$/);
    save('inventory.yaml', 'nonsense');
    daemon.signal('SIGHUP');
    const { snapshot, configDir, stateDir } = await client.statusBecomes(
      ({ snapshot: now }) => now?.problems.length !== 0,
    );
    expect(snapshot?.problems).toEqual(['the newest config is not in force']);
    expect([configDir, stateDir]).toEqual(['', '']);
  });
});

describe('while requests are in flight', () => {
  it('reloads fail none of 2,000, and none of them mixes two states', async () => {
    /** In each generation the actor has the principals of that generation, and the name of another says which. */
    const generation = (n: number): string =>
      inventoryOf(
        `  - { name: agt-test, type: agt, principals: [g${n}-a, g${n}-b], ttl_hours: ${1 + (n % 2)} , callers: [{ uid: ${process.getuid?.()} }] }\n`,
      );
    await start(generation(1));
    let reloading = true;
    let generations = 1;
    const reloads = (async () => {
      while (reloading) {
        generations += 1;
        save('inventory.yaml', generation(generations));
        await client.reload();
      }
    })();
    const clients = await Promise.all(Array.from({ length: 4 }, () => Client.open(house.socket)));
    const answers = (
      await Promise.all(
        clients.map(async (one) => {
          const all = [];
          for (let batch = 0; batch < 4; batch++)
            all.push(...(await Promise.all(Array.from({ length: 125 }, () => one.sign()))));
          return all;
        }),
      )
    ).flat();
    reloading = false;
    await reloads;
    for (const one of clients) one.close();
    expect(answers).toHaveLength(2_000);
    const seen = new Set<bigint>();
    for (const { certificate, evidence } of answers) {
      const n = evidence?.generation ?? 0n;
      seen.add(n);
      const principals = [`g${n}-a`, `g${n}-b`];
      expect(evidence?.principals).toEqual(principals);
      expect(parseCertificateLine(certificate).principals).toEqual(principals);
      expect(evidence?.ttlSeconds).toBe(n % 2n === 0n ? 3600n : 7200n);
    }
    expect(seen.size).toBeGreaterThan(2);
    client.close();
    expect(await daemon.stop()).toBe(0);
    const recorded = await records(house, { kind: 'sign' });
    expect(recorded).toHaveLength(2_000);
    for (const { generation: n, principals } of recorded) expect(principals).toEqual([`g${n}-a`, `g${n}-b`]);
    expect(await findings(house)).toEqual([]);
  });
});
