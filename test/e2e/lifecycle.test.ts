import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import { warden } from '../support/cli.ts';
import { DaemonEnded, type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { type Answered, DecisionPointServer } from './decision-point.ts';
import { Client, findings, houseOf, records, refusalOf } from './support.ts';

const houses: House[] = [];
const running: RunningDaemon[] = [];
afterEach(async () => {
  for (const daemon of running.splice(0)) await daemon.stop('SIGKILL');
  for (const house of houses.splice(0)) house.remove();
});

function keep(house: House): House {
  houses.push(house);
  return house;
}

async function start(house: House): Promise<RunningDaemon> {
  const daemon = await startDaemon({ house });
  running.push(daemon);
  return daemon;
}

/** How a daemon that cannot start ends: its exit code and the lines for people. */
async function failedStart(house: House): Promise<{ code: number | null; stderr: string }> {
  try {
    const daemon = await start(house);
    throw new Error(`it started: ${daemon.stderr.join('\n')}`);
  } catch (error) {
    if (error instanceof DaemonEnded) return { code: error.code, stderr: error.stderr };
    throw error;
  }
}

describe('SIGTERM', () => {
  it('lets a request that waits for the gate end, records it and the stop, and exits 0', async () => {
    let release: (answered: Answered) => void = () => {};
    const held = new Promise<Answered>((resolve) => {
      release = resolve;
    });
    const point = await DecisionPointServer.start(() => held);
    try {
      const policy = `policy: { enabled: true, flex_auth_url: "${point.url}", timeout: 30s }\n`;
      const house = keep(houseOf('test', policy));
      const daemon = await start(house);
      const client = await Client.open(house.socket);
      const signing = client.sign();
      await point.askedTimes(1);
      const stopped = daemon.stop();
      await daemon.waitForLog(({ msg }) => msg === 'stopping');
      release({ effect: 'allow', id: 'decision:0000000000000001', reason: 'signing_policy_matched' });

      const { evidence } = await signing;
      expect(evidence).toMatchObject({ policyDecisionId: 'decision:0000000000000001', policyEffect: 'allow' });
      expect(await stopped).toBe(0);
      client.close();
      const [sign, stop] = (await records(house)).slice(-2);
      expect(sign).toMatchObject({ kind: 'sign', outcome: 'ok', serial: String(evidence?.serial) });
      expect(stop).toMatchObject({ kind: 'stop', outcome: 'ok' });
      expect(await findings(house)).toEqual([]);
      expect(existsSync(house.socket)).toBe(false);
    } finally {
      await point.close();
    }
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    '%s in the very moment of the ready line is a stop in order',
    async (signal) => {
      const house = keep(houseOf('dev'));
      const daemon = await start(house);
      expect(await daemon.stop(signal)).toBe(0);
      expect((await records(house)).map(({ kind }) => kind)).toEqual(['start', 'stop']);
    },
  );

  it('sends away those who only watch, instead of waiting for them', async () => {
    const house = keep(houseOf('dev'));
    const daemon = await start(house);
    const client = await Client.open(house.socket);
    const watching = [
      refusalOf(client.healthBecomes('', 'SERVICE_UNKNOWN')),
      refusalOf(client.statusBecomes(({ posture }) => posture === 'prod')),
      refusalOf(client.followsLedger()),
    ];
    // Each has been told something by now: one more answer on the same connection comes after theirs.
    await client.status();
    expect(await daemon.stop()).toBe(0);
    const told = await Promise.all(watching);
    expect(told.map(({ status, message }) => `${status} ${message}`)).toEqual(
      Array.from({ length: 3 }, () => '14 the daemon is stopping'),
    );
    client.close();
  });

  it('leaves nobody to talk to', async () => {
    const house = keep(houseOf('dev'));
    const daemon = await start(house);
    await daemon.stop();
    await expect(Client.open(house.socket)).rejects.toMatchObject({ fault: 'missing' });
  });
});

describe('a second daemon', () => {
  it('is refused on the socket of a live one, which goes on undisturbed', async () => {
    const house = keep(houseOf('dev'));
    const first = await start(house);
    const other: House = { ...house, state: join(house.folder, 'state-two') };
    const { code, stderr } = await failedStart(other);
    expect(code).toBe(4);
    expect(stderr).toContain(`the socket ${house.socket} is in use by the wardend with pid ${first.pid}`);
    expect(stderr).toContain('why: socket_in_use');
    expect(stderr).toContain('do: stop the other daemon, or give this one its own --socket');
    const client = await Client.open(house.socket);
    expect((await client.status()).pid).toBe(first.pid);
    client.close();
  });

  it('is refused on the state folder of a live one', async () => {
    const house = keep(houseOf('dev'));
    const first = await start(house);
    const { code, stderr } = await failedStart({ ...house, socket: join(house.folder, 'run', 'two.sock') });
    expect(code).toBe(4);
    expect(stderr).toContain(`the state folder ${house.state} is in use by the wardend with pid ${first.pid}`);
    expect(stderr).toContain('why: state_in_use');
    expect((await records(house)).map(({ kind }) => kind)).toEqual(['start']);
  });
});

describe('after kill -9', () => {
  it('the dead socket is replaced, and the ledger goes on with the next number', async () => {
    const house = keep(houseOf('dev'));
    const first = await start(house);
    const before = await Client.open(house.socket);
    const one = await before.sign();
    await first.stop('SIGKILL');
    before.close();
    expect(existsSync(house.socket)).toBe(true);

    await start(house);
    const after = await Client.open(house.socket);
    const two = await after.sign();
    after.close();
    expect(two.evidence?.serial).toBeGreaterThan(one.evidence?.serial ?? 0n);
    expect(two.evidence?.ledgerSeq).toBeGreaterThan(one.evidence?.ledgerSeq ?? 0n);
    expect(await findings(house)).toEqual([]);
  });
});

describe('serials', () => {
  it('are unique and rise over restarts in order', async () => {
    const house = keep(houseOf('test'));
    const serials: bigint[] = [];
    for (let turn = 0; turn < 4; turn++) {
      const daemon = await start(house);
      const client = await Client.open(house.socket);
      for (const { evidence } of await Promise.all(Array.from({ length: 5 }, () => client.sign()))) {
        serials.push(evidence?.serial ?? 0n);
      }
      client.close();
      expect(await daemon.stop()).toBe(0);
    }
    expect(new Set(serials).size).toBe(20);
    const turns = [0, 5, 10, 15].map((from) => serials.slice(from, from + 5).sort());
    expect(turns.flat()).toEqual([...serials].sort());
    const recorded = await records(house, { kind: 'sign', outcome: 'ok' });
    expect(new Set(recorded.map(({ serial }) => serial))).toEqual(new Set(serials.map(String)));
  });
});

describe('a start that cannot be', () => {
  const inventory = (line: string): string => `version: 1\nactors:\n  - ${line}\n`;
  const rows: readonly (readonly [string, number, (house: House) => House, readonly string[]])[] = [
    [
      'an unknown key is named with file, line, column and the nearest known one',
      2,
      (house) => config(house, { warden: 'version: 1\nposture: dev\nledgr: {}\n' }),
      [
        'warden.yaml:3:1: unknown key `ledgr`',
        '`ledger`',
        'why: config_invalid',
        'do: mend it, then: warden check --config',
      ],
    ],
    [
      'so is every problem of both files at once',
      2,
      (house) =>
        config(house, {
          warden: 'version: 1\nposture: staging\n',
          inventory: inventory('{ name: adm-x, type: agt, principals: [x] }'),
        }),
      ['warden.yaml:2:10: ', 'inventory.yaml:3:'],
    ],
    ['a posture is never guessed', 2, (house) => config(house, { warden: 'version: 1\n' }), ['`posture`']],
    [
      'a config file that its group can write is not believed',
      2,
      (house) => {
        chmodSync(join(house.config, 'inventory.yaml'), 0o660);
        return house;
      },
      ['inventory.yaml: writable by its group', 'chmod go-w'],
    ],
    [
      'nor is a config folder that its group can write',
      2,
      (house) => {
        chmodSync(house.config, 0o770);
        return house;
      },
      ['writable by its group', 'chmod go-w'],
    ],
    [
      'a socket path that the kernel would cut is refused',
      2,
      (house) => ({ ...house, socket: join(house.folder, 'x'.repeat(120), 'wardend.sock') }),
      ['the socket path is', '107 are possible', 'do: give a shorter --socket path'],
    ],
    [
      'a file where the socket should be is not removed',
      2,
      (house) => {
        mkdirSync(join(house.folder, 'run'), { mode: 0o700 });
        writeFileSync(house.socket, 'precious');
        return house;
      },
      ['exists and is no socket', 'why: config_invalid'],
    ],
    [
      'a state folder that others can read is refused',
      2,
      (house) => {
        chmodSync(house.state, 0o755);
        return house;
      },
      [`the folder `, 'is open to other users', 'do: chmod 700'],
    ],
    [
      'prod without its CA file says which file, and what to do',
      2,
      (house) => {
        rmSync(join(house.config, 'ca_ed25519'));
        return config(house, { warden: 'version: 1\nposture: prod\n' });
      },
      ['ca_ed25519', 'why: config_invalid', 'do: '],
    ],
    [
      'prod does not sign with a CA that is labelled synthetic',
      1,
      (house) => config(house, { warden: 'version: 1\nposture: prod\n' }),
      ['posture prod takes no synthetic CA', 'why: posture_forbids'],
    ],
    [
      'a CA key that others can read is refused',
      2,
      (house) => {
        chmodSync(join(house.config, 'ca_ed25519'), 0o644);
        return house;
      },
      ['ca_ed25519', 'chmod'],
    ],
  ];
  it.each(rows)('%s', async (_name, exitCode, prepare, sentences) => {
    const house = prepare(keep(makeHouse()));
    const { code, stderr } = await failedStart(house);
    for (const sentence of sentences) expect(stderr).toContain(sentence);
    expect(stderr).not.toContain('at file:');
    expect(code).toBe(exitCode);
    // Nothing is left that looks like a daemon.
    expect(statSync(house.socket, { throwIfNoEntry: false })?.isSocket() ?? false).toBe(false);
  });

  it('a state folder of another posture is refused, whatever the config says now', async () => {
    const house = keep(houseOf('test'));
    await (await start(house)).stop();
    config(house, { warden: 'version: 1\nposture: prod\n' });
    const { code, stderr } = await failedStart(house);
    expect(stderr).toContain(`the state folder ${house.state} is of posture test, and the config says prod`);
    expect(stderr).toContain('why: posture_forbids');
    expect(stderr).toContain('do: give this posture a state folder of its own: --state DIR');
    expect(code).toBe(1);
  });

  function config(house: House, files: Parameters<typeof writeConfig>[1]): House {
    writeConfig(house, files);
    return house;
  }
});

describe('a state folder put back from a copy', () => {
  it('is refused with the mend, and `warden ledger accept` mends it', async () => {
    const house = keep(houseOf('test'));
    const copy = join(house.folder, 'copy');
    await (await start(house)).stop();
    cpSync(house.state, copy, { recursive: true, preserveTimestamps: true });
    const second = await start(house);
    const client = await Client.open(house.socket);
    const lost = await client.sign();
    client.close();
    await second.stop();
    rmSync(house.state, { recursive: true });
    // Node 24's copy does not keep a folder's mode.
    chmodSync(copy, 0o700);
    renameSync(copy, house.state);

    const refused = await failedStart(house);
    expect(refused.stderr).toContain('why: state_rolled_back');
    expect(refused.stderr).toContain('warden ledger accept');
    expect(refused.code).toBe(4);

    const accepting = ['ledger', 'accept', '--state', house.state, '--socket', house.socket];
    const withoutReason = await warden(accepting);
    expect(withoutReason).toMatchObject({ code: 2, stdout: '' });
    const accepted = await warden([...accepting, '--reason', 'restored from a copy']);
    expect(accepted).toMatchObject({ code: 0, stderr: '' });
    expect(accepted.stdout).toContain('wardend starts again');

    await start(house);
    const again = await Client.open(house.socket);
    const { evidence } = await again.sign();
    again.close();
    expect(evidence?.serial).toBeGreaterThan(lost.evidence?.serial ?? 0n);
    expect(evidence?.ledgerSeq).toBeGreaterThan(lost.evidence?.ledgerSeq ?? 0n);
    const [recovered] = await records(house, { kind: 'recovered' });
    expect(recovered).toMatchObject({ outcome: 'ok', user_reason: 'restored from a copy' });
    expect(await findings(house)).toEqual([]);
  });
});

describe('an empty config folder', () => {
  it('starts the dev posture, with an authority that is labelled synthetic in every key id', async () => {
    const house = keep(makeHouse());
    rmSync(house.config, { recursive: true });
    mkdirSync(house.config, { mode: 0o700 });
    await start(house);
    const client = await Client.open(house.socket);
    const { evidence } = await client.sign({ actor: 'agt-demo' });
    expect(evidence).toMatchObject({ posture: 'dev', backend: 'synthetic' });
    expect(evidence?.keyId).toMatch(/^synthetic-agt-demo\/[0-9a-f-]{36}\/-$/);
    const status = await client.status();
    expect(status.notices).toContain('no config folder: embedded defaults are in force');
    client.close();
    const [record] = await records(house, { kind: 'sign' });
    expect(record).toMatchObject({ posture: 'dev', backend: 'synthetic', key_id: evidence?.keyId });
  });

  it('that appears later is refused as long as it cannot be, and in force once it can', async () => {
    const house = keep(makeHouse());
    rmSync(house.config, { recursive: true });
    mkdirSync(house.config, { mode: 0o700 });
    await start(house);
    const client = await Client.open(house.socket);
    writeConfig(house, {});
    const { problems, generation } = await client.reload();
    expect(problems).toEqual([]);
    expect(generation).toBe(2n);
    expect((await client.sign()).evidence).toMatchObject({ posture: 'dev', generation: 2n });
    client.close();
  });
});

it('a client of a daemon that is not there hears so in one word', async () => {
  const house = keep(makeHouse());
  const error = await Client.open(house.socket).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ fault: 'missing' });
  const told = await warden(['status', '--socket', house.socket, '--json']);
  expect(told.code).toBe(3);
  expect(JSON.parse(told.stdout)).toMatchObject({ error: { kind: 'unreachable', reason: 'daemon_unreachable' } });
  expect(new WardenError('daemon_unreachable', '').kind).toBe('unreachable');
});
