import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client, clear, isRoot, refusalOf } from '../e2e/support.ts';
import { DEV_WARDEN, type House, makeHouse, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { freePort } from '../support/openbao.ts';

let house: House;
let daemon: RunningDaemon;
let client: Client;
let socketPath: string;

beforeAll(async () => {
  house = makeHouse();
  socketPath = join(house.folder, 'run', 'metrics.sock');
  writeConfig(house, { warden: `${DEV_WARDEN}metrics: { listen: "unix://${socketPath}" }\n` });
  daemon = await startDaemon({ house });
  client = await Client.open(daemon.socket);
});

afterAll(async () => {
  client.close();
  await clear(daemon, house);
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

function get(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ path: '/metrics', agent: false, ...options }, (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: String(response.headers['content-type']), text }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Read by the parser of Prometheus' own Python client, which refuses what is not in its format. */
function parse(text: string): Sample[] {
  const program = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families
out = []
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family.name
    assert family.type in ('counter', 'gauge', 'histogram', 'summary'), family
    for s in family.samples:
        out.append({'name': s.name, 'labels': s.labels, 'value': s.value if s.value == s.value else 0})
print(json.dumps(out))
`;
  const env = {
    PATH: process.env.PATH ?? '',
    PYTHONPATH: fileURLToPath(new URL('../../.cache/python', import.meta.url)),
  };
  return JSON.parse(execFileSync('python3', ['-c', program], { input: text, env, encoding: 'utf8' })) as Sample[];
}

async function samples(): Promise<Sample[]> {
  const { status, text } = await get({ socketPath });
  expect(status).toBe(200);
  return parse(text);
}

function valueIn(all: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined {
  return all.find(
    (one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  )?.value;
}

describe('metrics on a Unix socket', () => {
  test('are for the user of the daemon alone', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test.runIf(isRoot)('another user does not get in', () => {
    const program = `require('net').connect(${JSON.stringify(socketPath)}).on('connect', () => process.exit(0)).on('error', (e) => { console.log(e.code); process.exit(9); })`;
    let said = '';
    try {
      execFileSync('setpriv', ['--reuid=4711', '--regid=4711', '--clear-groups', process.execPath, '-e', program]);
    } catch (error) {
      said = String((error as { stdout: Buffer }).stdout);
    }
    expect(said.trim()).toBe('EACCES');
  });

  test('count what was asked, refused and released, by method and reason', async () => {
    const before = await samples();
    await client.sign();
    await client.sign();
    expect((await refusalOf(client.sign({ ttlSeconds: 999_999_999n }))).reason).toBe('ttl_out_of_bounds');
    expect((await refusalOf(client.sign({ actor: 'agt-foreign' }))).reason).toBe('caller_not_allowed');
    const after = await samples();
    const grown = (name: string, labels: Record<string, string>): number =>
      (valueIn(after, name, labels) ?? 0) - (valueIn(before, name, labels) ?? 0);
    const total = 'warden_requests_total';
    expect(grown(total, { method: 'Sign', outcome: 'ok', reason: 'none' })).toBe(2);
    expect(grown(total, { method: 'Sign', outcome: 'refused', reason: 'ttl_out_of_bounds' })).toBe(1);
    expect(grown(total, { method: 'Sign', outcome: 'refused', reason: 'caller_not_allowed' })).toBe(1);
    expect(grown('warden_certificates_issued_total', {})).toBe(2);
    expect(grown('warden_refusals_total', {})).toBe(2);
    expect(grown('warden_request_duration_seconds_count', { method: 'Sign' })).toBe(4);
    expect(grown('warden_request_duration_seconds_bucket', { method: 'Sign', le: '+Inf' })).toBe(4);
    expect(valueIn(after, 'warden_ledger_seq')).toBeGreaterThan(valueIn(before, 'warden_ledger_seq') ?? 0);
  });

  test('say how the daemon is', async () => {
    const now = await samples();
    for (const [name, labels, value] of [
      ['warden_info', { posture: 'dev', backend: 'local' }, 1],
      ['warden_actors', {}, 3],
      ['warden_config_generation', {}, 1],
      ['warden_config_newest_in_force', {}, 1],
      ['warden_ledger_writable', {}, 1],
      ['warden_connections', {}, 1],
      ['warden_exec_running', {}, 0],
      ['warden_dependency_up', { name: 'ca' }, 1],
      ['warden_dependency_up', { name: 'ledger' }, 1],
      ['warden_dependency_up', { name: 'policy' }, undefined],
      ['warden_policy_breaker', { state: 'closed' }, 1],
      ['warden_policy_breaker', { state: 'open' }, 0],
      ['warden_break_glass_open', {}, 0],
      ['warden_lockdown', {}, 0],
    ] as const) {
      expect([name, valueIn(now, name, labels)]).toEqual([name, value]);
    }
    for (const name of [
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
      'process_cpu_seconds_total',
    ])
      expect([name, valueIn(now, name)]).toEqual([name, expect.any(Number)]);
  });

  test('hold no name of anybody, whatever callers send', async () => {
    await refusalOf(client.sign({ actor: 'agt-"} 1\nevil_metric 1' }));
    const { text } = await get({ socketPath });
    expect(text).not.toMatch(/agt-|evil|tester/);
    const labels = new Set(
      parse(text).flatMap((sample) => (sample.name.startsWith('warden') ? Object.keys(sample.labels) : [])),
    );
    expect([...labels].sort()).toEqual(
      ['backend', 'le', 'method', 'mode', 'name', 'outcome', 'posture', 'reason', 'result', 'state', 'version'].sort(),
    );
  });

  test.each([
    ['another path', { path: '/' }, 404],
    ['a query', { path: '/metrics?x=1' }, 200],
    ['HEAD', { method: 'HEAD' }, 200],
    ['POST', { method: 'POST' }, 405],
  ])('%s is answered with its status', async (_what, options, status) => {
    expect((await get({ socketPath, ...options })).status).toBe(status);
  });

  test('callers that neither ask nor read are bounded in number, and let go', async () => {
    const idle = Array.from({ length: 12 }, () => connect(socketPath));
    const cut = await Promise.all(
      idle.map(
        (socket) =>
          new Promise<number>((resolve) => socket.on('error', () => {}).on('close', () => resolve(performance.now()))),
      ),
    );
    expect(cut).toHaveLength(12);
    expect((await get({ socketPath })).status).toBe(200);
  }, 20_000);
});

describe('metrics on this machine, after a reload', () => {
  let port: number;

  test('move without a restart, and the old socket is gone', async () => {
    port = await freePort();
    writeConfig(house, { warden: `${DEV_WARDEN}metrics: { listen: "127.0.0.1:${port}" }\n` });
    await daemon.waitForLog(({ msg, listen }) => msg === 'metrics served' && listen === `127.0.0.1:${port}`);
    const { status, type, text } = await get({ host: '127.0.0.1', port });
    expect({ status, type }).toEqual({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8' });
    expect(valueIn(parse(text), 'warden_config_generation')).toBe(2);
    expect(() => statSync(socketPath)).toThrow(/ENOENT/);
  });

  test.each([
    ['localhost', 200],
    ['127.0.0.1:9464', 200],
    ['[::1]:9464', 200],
    ['attacker.example', 403],
    ['127.0.0.1.attacker.example', 403],
  ])('a page that came by the name %s gets %i', async (host, status) => {
    expect((await get({ host: '127.0.0.1', port, headers: { host } })).status).toBe(status);
  });

  test('a port that is taken is told in log and status, and takes nothing down', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port: taken } = other.address() as { port: number };
    writeFileSync(join(house.config, 'warden.yaml'), `${DEV_WARDEN}metrics: { listen: "127.0.0.1:${taken}" }\n`);
    await daemon.waitForLog(({ msg }) => msg === 'metrics not served');
    expect((await client.status()).notices).toContain(`metrics cannot be served on 127.0.0.1:${taken} (EADDRINUSE)`);
    await client.sign();
    await new Promise((resolve) => other.close(resolve));
    writeFileSync(join(house.config, 'warden.yaml'), `${DEV_WARDEN}metrics: { listen: off }\n`);
    await client.statusBecomes(({ notices }) => !notices.some((text) => text.startsWith('metrics cannot')));
    await expect(get({ host: '127.0.0.1', port })).rejects.toThrow(/ECONNREFUSED/);
  });
});
