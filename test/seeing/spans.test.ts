import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTraceparent } from '../../src/kernel/traceparent.ts';
import { houseWith, INVENTORY, ROUTES } from '../access/support.ts';
import { clear, KEY, records } from '../e2e/support.ts';
import { type CliResult, warden } from '../support/cli.ts';
import { type House, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { Collector, type Sent } from './collector.ts';
import { Outside, ROUTE_VALUE, type Seen } from './outside.ts';

const CALLER = '00f067aa0ba902b7';

const COMMAND = `exec_capable: true
    inject: [{ field: token, env: TOKEN }]
    commands: [{ path: /usr/bin/sh, argv: ["-c", "**"] }]`;

const collector = new Collector();
let outside: Outside;
let house: House;
let daemon: RunningDaemon;

beforeAll(async () => {
  outside = await Outside.start();
  const [{ gateUrl, baoUrl }, otlp] = await Promise.all([outside.listen(), collector.listen()]);
  house = houseWith({
    beyondDev: true,
    routes: ROUTES.replace('fetch_capable: true', `fetch_capable: true\n    ${COMMAND}`),
  });
  writeConfig(house, {
    warden: `version: 1
posture: test
policy: { enabled: true, flex_auth_url: "${gateUrl}", gate: [sign, fetch, exec], cache_ttl: 60s }
openbao: { address: "${baoUrl}", tier: test }
telemetry: { otlp: "${otlp}" }
`,
    inventory: INVENTORY,
  });
  daemon = await startDaemon({ house });
  writeFileSync(join(house.folder, 'key.pub'), KEY);
}, 60_000);

afterAll(async () => {
  await clear(daemon, house);
  collector.server.closeAllConnections();
  collector.server.close();
  await outside.stop();
});

let last = 0;
/** A command in a trace of its own, and its spans once that of the request is there: the last to end. */
async function traced(args: readonly string[]): Promise<{ result: CliResult; spans: Sent[]; trace: string }> {
  last += 1;
  const trace = String(last).padStart(32, 'a');
  const result = await warden(args, {
    cwd: house.folder,
    env: {
      WARDEN_SOCKET: daemon.socket,
      BAO_TOKEN: outside.bao.rootToken,
      TRACEPARENT: `00-${trace}-${CALLER}-01`,
      TRACESTATE: 'congo=t61',
    },
  });
  const mine = (): Sent[] => collector.spans.filter(({ raw }) => raw.traceId === trace);
  await collector.has(() => mine().find(({ raw }) => raw.kind === 2));
  return { result, spans: mine(), trace };
}

const named = (spans: readonly Sent[], name: string): Sent[] => spans.filter((span) => span.name === name);
const status = ({ raw }: Sent): unknown => raw.status;
const sentOn = (seen: Seen | undefined) => parseTraceparent(String(seen?.headers.traceparent));

function expectUnderTheRequest(spans: readonly Sent[]): void {
  const server = spans.find(({ raw }) => raw.kind === 2);
  expect(server?.raw).toMatchObject({ parentSpanId: CALLER, traceState: 'congo=t61' });
  const [from, to] = [BigInt(String(server?.raw.startTimeUnixNano)), BigInt(String(server?.raw.endTimeUnixNano))];
  for (const child of spans.filter((span) => span !== server)) {
    expect(child.raw).toMatchObject({ parentSpanId: server?.raw.spanId, traceState: 'congo=t61' });
    expect(BigInt(String(child.raw.startTimeUnixNano))).toBeGreaterThanOrEqual(from);
    expect(BigInt(String(child.raw.endTimeUnixNano))).toBeLessThanOrEqual(to);
  }
  expect(new Set(spans.map(({ raw }) => raw.spanId)).size).toBe(spans.length);
}

describe('the steps of a request are spans below it', () => {
  test('of a fetch: the gate, each call to OpenBao and the commit, and each outside system is told its own', async () => {
    const { result, spans } = await traced(['fetch', 'npm-publish', '--actor', 'agt-m3']);
    expect(result.code).toBe(0);
    expectUnderTheRequest(spans);
    expect(spans.map(({ name }) => name).sort()).toEqual([
      'OpenBao GET',
      'OpenBao GET',
      'decision point',
      'ledger commit',
      'warden.v1.Warden/Fetch',
    ]);
    const [asked] = named(spans, 'decision point');
    expect(asked?.at).toMatchObject({
      'warden.policy_effect': 'allow',
      'warden.policy_cached': false,
      'warden.policy_decision_id': 'decision:1',
    });
    expect(asked?.raw).toMatchObject({ kind: 3 });
    expect(sentOn(outside.atGate.at(-1))?.parentId).toBe(asked?.raw.spanId);
    expect(outside.atGate.at(-1)?.headers.tracestate).toBe('congo=t61');
    for (const path of ['/v1/platform-test/data/workloads/ci/npm', '/v1/auth/token/lookup-self']) {
      const call = named(spans, 'OpenBao GET').find(({ at }) => at['url.path'] === path);
      expect(call?.at).toMatchObject({ 'http.response.status_code': 200 });
      const seen = outside.atStore.findLast((one) => one.path === path);
      expect(sentOn(seen)?.parentId).toBe(call?.raw.spanId);
      expect(seen?.headers.tracestate).toBe('congo=t61');
    }
    const [record] = await records(house, { kind: 'fetch' });
    expect(named(spans, 'ledger commit')[0]?.at).toEqual({ 'warden.seq': record?.seq });
    expect(spans.every((span) => JSON.stringify(status(span)) === '{"code":0}')).toBe(true);
    expect(collector.bodies).not.toContain(ROUTE_VALUE);
  });

  test('of a decision that is known already: the gate says so, and is not asked', async () => {
    const before = outside.atGate.length;
    const { spans } = await traced(['fetch', 'npm-publish', '--actor', 'agt-m3']);
    expect(named(spans, 'decision point')[0]?.at).toMatchObject({ 'warden.policy_cached': true });
    expect(outside.atGate).toHaveLength(before);
  });

  test.each([
    ['well', 'exit 0', { 'process.exit.code': 0 }, { code: 0 }],
    ['with a code of its own', 'exit 3', { 'process.exit.code': 3 }, { code: 2, message: 'exit 3' }],
  ])('of a command that ends %s: its run, for as long as it ran', async (_how, script, at, ended) => {
    const { result, spans } = await traced([
      'exec',
      '--actor',
      'agt-m3',
      '--route',
      'npm-publish',
      '--',
      'sh',
      '-c',
      script,
    ]);
    expectUnderTheRequest(spans);
    expect(result).toMatchObject({ code: at['process.exit.code'], stderr: '' });
    const [ran] = named(spans, 'exec run');
    expect(ran?.at).toMatchObject({ ...at, 'warden.command': expect.stringMatching(/^\/.*sh$/), 'warden.bytes': 0 });
    expect(ran && status(ran)).toEqual(ended);
    // The start and the end.
    expect(named(spans, 'ledger commit')).toHaveLength(2);
  });

  test('of a secret that is not there: the call that failed is an error, and so is the request', async () => {
    await outside.bao.ok('DELETE', 'platform-test/metadata/workloads/ci/npm');
    const { result, spans } = await traced(['fetch', 'npm-publish', '--actor', 'agt-m3']);
    expect(result.code).not.toBe(0);
    expectUnderTheRequest(spans);
    const read = named(spans, 'OpenBao GET').find(({ at }) => String(at['url.path']).includes('/npm'));
    expect(read?.at).toMatchObject({ 'http.response.status_code': 404 });
    expect(read && status(read)).toEqual({ code: 2, message: 'no_value' });
    expect(spans.find(({ raw }) => raw.kind === 2)?.raw.status).toEqual({ code: 2, message: 'secret_missing' });
    // The refusal is on record, and that it could be recorded is no error.
    expect(named(spans, 'ledger commit').map(status)).toEqual([{ code: 0 }]);
  });

  test('of a deny: the gate did answer, and the request is the error', async () => {
    outside.effect = 'deny';
    const { result, spans } = await traced(['sign', 'agt-m3', '--pubkey', 'key.pub']);
    expect(result.code).toBe(1);
    expectUnderTheRequest(spans);
    const [asked] = named(spans, 'decision point');
    expect(asked?.at).toMatchObject({ 'warden.policy_effect': 'deny' });
    expect(asked && status(asked)).toEqual({ code: 0 });
    expect(spans.find(({ raw }) => raw.kind === 2)?.at).toMatchObject({ 'warden.reason': 'policy_denied' });
  });
});
