import { writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTraceparent } from '../../src/kernel/traceparent.ts';
import { houseWith, INVENTORY } from '../access/support.ts';
import { clear, KEY, records } from '../e2e/support.ts';
import { secretValue } from '../support/canary.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { type House, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { devServer, type RealServer } from '../support/openbao.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

interface Seen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

const atGate: Seen[] = [];
const atStore: Seen[] = [];
let gate: Server;
/** In front of the real OpenBao, and looking at the headers. */
let front: Server;
let bao: RealServer;
let house: House;
let daemon: RunningDaemon;

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  bao = await devServer();
  await bao.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
  await bao.ok('POST', 'platform-test/data/workloads/ci/npm', { data: { token: secretValue('of-the-route') } });
  gate = createServer((asked, response) => {
    asked.resume();
    if (asked.method === 'POST') atGate.push({ path: asked.url ?? '', headers: asked.headers });
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ id: 'decision:1', effect: 'allow', reason: 'r' }));
  });
  front = createServer((asked, response) => {
    atStore.push({ path: asked.url ?? '', headers: asked.headers });
    const { host: _host, ...headers } = asked.headers;
    const onward = request(`${bao.address}${asked.url}`, { method: asked.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.pipe(onward);
  });
  const [gateUrl, baoUrl] = await Promise.all([listening(gate), listening(front)]);
  house = houseWith({ beyondDev: true });
  writeConfig(house, {
    warden: `version: 1
posture: test
policy: { enabled: true, flex_auth_url: "${gateUrl}", gate: [sign, fetch], cache_ttl: 0s }
openbao: { address: "${baoUrl}", tier: test }
`,
    inventory: INVENTORY,
  });
  daemon = await startDaemon({ house });
  writeFileSync(join(house.folder, 'key.pub'), KEY);
}, 60_000);

afterAll(async () => {
  await clear(daemon, house);
  front.closeAllConnections();
  front.close();
  gate.closeAllConnections();
  gate.close();
  await bao.stop();
});

function run(args: string, env: Record<string, string> = {}): Promise<CliResult> {
  return warden(args.split(' '), {
    cwd: house.folder,
    env: { WARDEN_SOCKET: daemon.socket, BAO_TOKEN: bao.rootToken, ...env },
  });
}

const SIGN = 'sign agt-m3 --pubkey key.pub --json';
const FETCH = 'fetch npm-publish --actor agt-m3 --json';
const onlyTo = (seen: readonly Seen[], path: RegExp): readonly Seen[] => seen.filter((one) => path.test(one.path));

describe('the trace of a request', () => {
  test('goes from the caller to the gate, to OpenBao, into the ledger and into the log', async () => {
    const fetched = await run(FETCH, { TRACEPARENT: `00-${TRACE}-${SPAN}-00`, TRACESTATE: 'congo=t61, rojo=1' });
    expect(fetched.code).toBe(0);
    const [asked] = onlyTo(atGate, /check/);
    const [read] = onlyTo(atStore, /platform-test\/data/);
    const [record] = await records(house, { kind: 'fetch' });
    expect(record).toMatchObject({ outcome: 'ok', trace_id: TRACE });
    for (const seen of [asked, read]) {
      const sent = parseTraceparent(String(seen?.headers.traceparent));
      expect(sent).toMatchObject({ traceId: TRACE, sampled: false });
      expect(sent?.parentId).not.toBe(SPAN);
      expect(seen?.headers.tracestate).toBe('congo=t61,rojo=1');
      expect(seen?.headers['x-request-id']).toBe(record?.request_id);
    }
    // Nobody collects spans here: a step of its own would be the child of nothing.
    expect(asked?.headers.traceparent).toBe(read?.headers.traceparent);
    const line = await daemon.waitForLog(({ method }) => method === 'Fetch');
    expect(line).toMatchObject({ request_id: record?.request_id, trace_id: TRACE });
  });

  test.each([
    ['none', { TRACESTATE: 'congo=t61' }],
    ['one that is none', { TRACEPARENT: 'so-so' }],
  ])('begins here where the caller has %s', async (_what, env) => {
    const before = atGate.length;
    expect((await run(SIGN, env)).code).toBe(0);
    const sent = parseTraceparent(String(atGate[before]?.headers.traceparent));
    expect(sent).toMatchObject({ sampled: true });
    expect(atGate[before]?.headers.tracestate).toBeUndefined();
    const record = (await records(house, { kind: 'sign' })).at(-1);
    expect(record?.trace_id).toBe(sent?.traceId);
    expect(record?.trace_id).not.toBe(TRACE);
  });

  test('is on the record of a refusal, too', async () => {
    const refused = await run(`${SIGN} --ttl 999`, { TRACEPARENT: `00-${TRACE}-${SPAN}-01` });
    expect(refused.code).toBe(1);
    const { error } = json(refused) as { error: { ledger_seq: number } };
    const record = (await records(house)).find(({ seq }) => seq === error.ledger_seq);
    expect(record).toMatchObject({ outcome: 'refused', reason: 'ttl_out_of_bounds', trace_id: TRACE });
  });
});
