import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Check } from '../../client/doctor/check.ts';
import { verifyTail } from '../../src/ledger/verify-tail.ts';
import { clear, houseOf } from '../e2e/support.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { type House, plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { devServer, type RealServer } from '../support/openbao.ts';

/** A decision point whose clock, health and answers are the test's. */
class Gate {
  aheadMs = 0;
  healthy = true;
  status = 200;
  effect: 'allow' | 'deny' = 'deny';
  readonly asked: string[] = [];
  readonly server: Server = createServer((request, response) => {
    const date = new Date(Date.now() + this.aheadMs).toUTCString();
    const reply = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json', date }).end(JSON.stringify(body));
    };
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      if (request.method === 'GET') return reply(this.healthy ? 200 : 503, {});
      this.asked.push((JSON.parse(text) as { resource: { id: string } }).resource.id);
      reply(this.status, { id: 'decision:1', effect: this.effect, reason: 'r' });
    });
  });
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

const gate = new Gate();
let bao: RealServer;
let house: House;
let daemon: RunningDaemon;
let inventory: string;

beforeAll(async () => {
  const [url, server] = await Promise.all([gate.listen(), devServer()]);
  bao = server;
  inventory = `${plainInventory()}hosts:\n  - { name: bastion-1, addresses: [127.0.0.1], purpose: "jump host" }\n`;
  house = houseOf(
    'test',
    `policy: { enabled: true, flex_auth_url: "${url}", timeout: 5s }
openbao: { address: "${bao.address}", tier: test, login: { method: token_file, token_file: token } }
`,
    inventory,
  );
  writeFileSync(join(house.config, 'token'), bao.rootToken, { mode: 0o600 });
  daemon = await startDaemon({ house });
}, 60_000);

afterAll(async () => {
  await clear(daemon, house);
  await bao.stop();
  gate.server.close();
});

function doctor(args = '', env: Record<string, string> = {}): Promise<CliResult> {
  const words = ['doctor', '--socket', house.socket, '--config', house.config, '--state', house.state];
  return warden([...words, ...args.split(' ').filter(Boolean)], { cwd: house.folder, env });
}

async function findings(args = ''): Promise<{ code: number | null; found: Check[]; all: Check[] }> {
  const result = await doctor(`--json ${args}`);
  const { checks, healthy } = json(result) as { checks: Check[]; healthy: boolean };
  const found = checks.filter(({ state }) => state === 'finding');
  expect(healthy).toBe(found.length === 0);
  return { code: result.code, found, all: checks };
}

describe('$ warden doctor', () => {
  test('where all is well: each thing in a line, code 0', async () => {
    const result = await doctor();
    expect(result.stderr).toBe('');
    expect(result.stdout).toMatch(/\nhealthy\n$/);
    expect(result.code).toBe(0);
    for (const line of [
      /^ {2}ok +daemon +wardend \d.*posture test, answered in \d+ ms$/m,
      /^ {2}ok +hardening +not dumpable, and no core file is ever written$/m,
      /^ {2}ok +socket +.*mode 0600/m,
      /^ {2}ok +config +.*owners and permissions hold$/m,
      /^ {2}ok +state +.*mode 0700/m,
      /^ {2}ok +ledger +\d+ records, chain and signatures hold$/m,
      /^ {2}ok +ca +the key is a file, mode 0600, 0 days old$/m,
      /^ {2}ok +policy +http:.* is ready, in \d+ ms$/m,
      /^ {2}ok +policy\.authorised +it answers our questions/m,
      /^ {2}ok +openbao +http:.* is unsealed and active/m,
      /^ {2}ok +openbao\.token +OpenBao takes the token, which has no end$/m,
      /^ {2}ok +clock\.policy +the clock of the decision point agrees with ours$/m,
      /^ {2}ok +clock\.openbao +the clock of OpenBao agrees with ours$/m,
      /^ {2}ok +kernel +kernel /m,
      /^ {2}ok +koffi /m,
    ])
      expect(result.stdout).toMatch(line);
    expect(gate.asked).toEqual(['ssh-cert:actor/agt-warden-doctor-nobody']);
    expect(result.stdout).not.toContain(bao.rootToken);
  });

  const file = (name: string): string => join(house.config, name);
  test.each<[string, string, RegExp, () => (() => void) | Promise<() => void>, string?]>([
    [
      'a socket that everybody may connect to',
      'socket',
      /everybody may connect/,
      () => {
        chmodSync(house.socket, 0o666);
        return () => chmodSync(house.socket, 0o600);
      },
    ],
    [
      'a config folder that others can write',
      'config',
      /writable by group and others/,
      () => {
        chmodSync(house.config, 0o777);
        return () => chmodSync(house.config, 0o700);
      },
    ],
    [
      'a config that does not hold',
      'config',
      /^inventory\.yaml:\d+:\d+: /,
      () => {
        writeFileSync(file('inventory.yaml'), 'version: 1\nactors: [{ name: x }]\n');
        return () => writeFileSync(file('inventory.yaml'), inventory);
      },
    ],
    [
      'a state folder that others can read',
      'state',
      /others may look into it/,
      () => {
        chmodSync(house.state, 0o755);
        return () => chmodSync(house.state, 0o700);
      },
    ],
    [
      'a CA key that others can read',
      'ca',
      /others may read the CA key/,
      () => {
        chmodSync(file('ca_ed25519'), 0o640);
        return () => chmodSync(file('ca_ed25519'), 0o600);
      },
    ],
    [
      'a CA key that is gone',
      'ca',
      /there is no CA key/,
      () => {
        renameSync(file('ca_ed25519'), file('elsewhere'));
        return () => renameSync(file('elsewhere'), file('ca_ed25519'));
      },
    ],
    [
      'a decision point that is not ready',
      'policy',
      /HTTP 503/,
      () => {
        gate.healthy = false;
        return () => {
          gate.healthy = true;
        };
      },
    ],
    [
      'a decision point that does not take us',
      'policy.authorised',
      /HTTP 401/,
      () => {
        gate.status = 401;
        return () => {
          gate.status = 200;
        };
      },
    ],
    [
      'a decision point that allows anything',
      'policy.authorised',
      /allows an actor that does not exist/,
      () => {
        gate.effect = 'allow';
        return () => {
          gate.effect = 'deny';
        };
      },
    ],
    [
      'a decision point two minutes ahead',
      'clock.policy',
      /is 1[12]\d\.\d s ahead of ours/,
      () => {
        gate.aheadMs = 120_000;
        return () => {
          gate.aheadMs = 0;
        };
      },
    ],
    [
      'a token that others can read',
      'openbao.login',
      /others may read it/,
      () => {
        chmodSync(file('token'), 0o644);
        return () => chmodSync(file('token'), 0o600);
      },
    ],
    [
      'a token that OpenBao does not take',
      'openbao.token',
      /does not take the token/,
      () => {
        writeFileSync(file('token'), 's.wrong');
        return () => writeFileSync(file('token'), bao.rootToken);
      },
    ],
    [
      'a token file that is missing',
      'openbao.login',
      /there is no such file/,
      () => {
        renameSync(file('token'), file('elsewhere'));
        return () => renameSync(file('elsewhere'), file('token'));
      },
    ],
    [
      'an altered ledger',
      'ledger',
      /broken: signatures\.log:1: /,
      () => {
        const log = join(house.state, 'signatures.log');
        const before = readFileSync(log, 'utf8');
        writeFileSync(log, before.replace('"kind":"start"', '"kind":"stop"'));
        return () => writeFileSync(log, before);
      },
    ],
  ])('%s is a finding, with the mend, and code 1', async (_what, id, words, breakIt) => {
    const mendIt = await breakIt();
    try {
      const { code, found } = await findings();
      const here = found.find((check) => check.id === id);
      expect(here?.says).toMatch(words);
      expect(here?.mend).toMatch(/\S/);
      // What else is found follows from it.
      for (const other of found) expect([id, 'daemon.policy', 'daemon.config', 'daemon.ca']).toContain(other.id);
      expect(code).toBe(1);
    } finally {
      mendIt();
    }
  });

  test('the clocks of the hosts are compared over ssh, where asked for', async () => {
    const bin = join(house.folder, 'ssh');
    writeFileSync(bin, '#!/bin/sh\n[ "$(printf %s "$*" | tail -c 8)" = "date +%s" ] && echo $(($(date +%s) - 300))\n', {
      mode: 0o755,
    });
    const result = await doctor('--json --hosts', { PATH: `${house.folder}:${process.env.PATH}` });
    const { checks } = json(result) as { checks: Check[] };
    expect(checks).toContainEqual(
      expect.objectContaining({
        id: 'clock.host.bastion-1',
        state: 'finding',
        says: expect.stringMatching(/behind ours$/),
      }),
    );
    expect(result.code).toBe(1);
    writeFileSync(bin, '#!/bin/sh\nexit 255\n');
    const refused = await doctor('--json --hosts', { PATH: `${house.folder}:${process.env.PATH}` });
    expect((json(refused) as { checks: Check[] }).checks).toContainEqual(
      expect.objectContaining({ id: 'clock.host.bastion-1', state: 'unknown' }),
    );
  });

  test('without a daemon it says so, and looks at the rest', async () => {
    await daemon.stop();
    const result = await doctor();
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(/^ {2}FINDING +daemon +no daemon at /m);
    expect(result.stdout).toMatch(
      /^ {2}unknown +protection +no daemon answers: what follows is what can be seen without one$/m,
    );
    expect(result.stdout).toMatch(/^ {2}ok +policy\.authorised /m);
    expect(result.stdout).toMatch(/^ {2}ok +ledger /m);
    expect(result.stdout).toMatch(/\n1 finding; 1 could not be looked at\n$/);
    const quiet = await doctor('--quiet');
    expect(quiet.stdout.trimEnd().split('\n')).toHaveLength(2);
  });

  test('an OpenBao that is sealed, and one that is gone', async () => {
    await bao.call('PUT', 'sys/seal');
    expect((await findings()).found).toContainEqual(
      expect.objectContaining({ id: 'openbao', says: expect.stringMatching(/sealed/) }),
    );
    await bao.stop();
    const { found, all } = await findings();
    expect(found).toContainEqual(
      expect.objectContaining({ id: 'openbao', says: expect.stringMatching(/cannot be reached/) }),
    );
    expect(all).toContainEqual(expect.objectContaining({ id: 'clock.openbao', state: 'unknown' }));
  });

  test('where there is nothing at all: code 2', async () => {
    const nowhere = join(house.folder, 'nowhere');
    const result = await warden(['doctor', '--socket', nowhere, '--config', nowhere, '--state', nowhere]);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/there is nothing to look at/);
  });
});

describe('the end of a ledger', () => {
  test('holds as it was written, and every changed byte of it is found', async () => {
    const log = join(house.state, 'signatures.log');
    const whole = await verifyTail(house.state);
    expect(whole).toMatchObject({ fault: null });
    expect(whole.records).toBe(whole.lastSeq);
    expect(await verifyTail(house.state, 1)).toMatchObject({ records: 1, fault: null });
    const before = readFileSync(log);
    const last = before.lastIndexOf(10, before.length - 2) + 1;
    for (let at = last; at < before.length - 1; at += 7) {
      const changed = Buffer.from(before);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(log, changed);
      expect((await verifyTail(house.state)).fault, `byte ${at}`).not.toBeNull();
    }
    const lines = before.toString('utf8').trimEnd().split('\n');
    writeFileSync(log, `${[lines[0], ...lines.slice(2)].join('\n')}\n`);
    expect((await verifyTail(house.state)).fault).toMatch(/^record 3 stands behind record 1$/);
    writeFileSync(log, before.subarray(0, before.length - 5));
    expect(await verifyTail(house.state)).toMatchObject({ fault: null, records: whole.records - 1 });
    writeFileSync(log, before);
  });
});
