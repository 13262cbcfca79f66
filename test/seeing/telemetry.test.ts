import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { houseWith, INVENTORY } from '../access/support.ts';
import { Client, clear, KEY, NO_LIMITS, records, refusalOf } from '../e2e/support.ts';
import { type CliResult, warden } from '../support/cli.ts';
import { DEV_WARDEN, type House, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { Collector } from './collector.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const collector = new Collector();
let url: string;
let house: House;
let daemon: RunningDaemon;
let client: Client;

const yaml = (telemetry: string): string => `${DEV_WARDEN}${NO_LIMITS}telemetry: ${telemetry}\n`;

beforeAll(async () => {
  url = await collector.listen();
  house = houseWith({});
  writeConfig(house, { warden: yaml(`{ otlp: "${url}", bearer_file: token }`), inventory: INVENTORY });
  writeFileSync(join(house.config, 'token'), 'collector-token\n', { mode: 0o600 });
  writeFileSync(join(house.folder, 'key.pub'), KEY);
  daemon = await startDaemon({ house });
  client = await Client.open(daemon.socket);
});

afterAll(async () => {
  client.close();
  await clear(daemon, house);
  collector.server.closeAllConnections();
  collector.server.close();
});

function run(args: string, env: Record<string, string> = {}): Promise<CliResult> {
  return warden(args.split(' '), { cwd: house.folder, env: { WARDEN_SOCKET: daemon.socket, ...env } });
}

describe('an OpenTelemetry collector', () => {
  test('gets each ledger record as a log record, under the names of the ledger', async () => {
    expect(await run('sign agt-m3 --pubkey key.pub', { TRACEPARENT: `00-${TRACE}-${SPAN}-01` })).toMatchObject({
      code: 0,
    });
    const log = await collector.has(() => collector.logs.find(({ name }) => name === 'sign ok'));
    const [record] = await records(house, { kind: 'sign' });
    expect(log.at).toMatchObject({
      'warden.seq': record?.seq,
      'warden.hash': record?.hash,
      'warden.actor': 'agt-m3',
      'warden.serial': record?.serial,
      'warden.principals': ['p'],
      'warden.caller.uid': process.getuid?.() ?? 0,
      'warden.request_id': record?.request_id,
      'warden.trace_id': TRACE,
    });
    expect(log.raw).toMatchObject({ severityText: 'INFO', eventName: 'warden.sign' });
    expect(BigInt(String(log.raw.timeUnixNano)) / 1_000_000n).toBe(BigInt(Date.parse(record?.time ?? '')));
    expect(collector.headers.every(({ authorization }) => authorization === 'Bearer collector-token')).toBe(true);
  });

  test('gets a span for the request, by the id that was sent on, below that of whoever asked', async () => {
    const span = await collector.has(() => collector.spans.find(({ raw }) => raw.traceId === TRACE && raw.kind === 2));
    const [record] = await records(house, { kind: 'sign' });
    expect(span.name).toBe('warden.v1.Warden/Sign');
    expect(span.raw).toMatchObject({ parentSpanId: SPAN, kind: 2, spanId: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(span.at).toMatchObject({
      'rpc.system': 'grpc',
      'rpc.method': 'Sign',
      'warden.request_id': record?.request_id,
    });
    expect(BigInt(String(span.raw.endTimeUnixNano))).toBeGreaterThan(BigInt(String(span.raw.startTimeUnixNano)));
  });

  test('gets refusals as warnings, with their reason', async () => {
    await refusalOf(client.sign({ actor: 'agt-foreign' }));
    const log = await collector.has(() => collector.logs.find(({ name }) => name === 'sign refused'));
    expect(log.raw).toMatchObject({ severityText: 'WARN' });
    expect(log.at).toMatchObject({ 'warden.reason': 'caller_not_allowed' });
    const span = await collector.has(() => collector.spans.find(({ at }) => at['warden.reason'] !== undefined));
    expect(span.raw).toMatchObject({ status: { code: 2, message: 'caller_not_allowed' } });
  });

  test('gets no span of a trace that its beginner does not keep', async () => {
    const trace = 'a'.repeat(32);
    await run('sign agt-m3 --pubkey key.pub', { TRACEPARENT: `00-${trace}-${SPAN}-00` });
    await collector.has(() => collector.logs.find(({ at }) => at['warden.trace_id'] === trace));
    await client.sign({ actor: 'agt-m3' });
    const count = collector.spans.length;
    await collector.has(() => (collector.spans.length > count ? true : undefined));
    expect(collector.spans.some(({ raw }) => raw.traceId === trace)).toBe(false);
  });

  test('never gets a value', async () => {
    const fetched = await run('fetch npm-publish --actor agt-m3');
    expect(fetched.code).toBe(0);
    await collector.has(() => collector.logs.find(({ name }) => name === 'fetch ok'));
    expect(fetched.stdout.trim()).toMatch(/^synthetic-/);
    expect(collector.bodies).not.toContain(fetched.stdout.trim());
  });

  test('that takes nothing is told of in the status, and holds nothing up', async () => {
    collector.status = 400;
    await client.sign({ actor: 'agt-m3' });
    const notices = async () => (await client.status()).notices.join('\n');
    await expect.poll(notices, { timeout: 15_000 }).toMatch(/telemetry: \d+ records were not taken by http:/);
    collector.status = 200;
  }, 20_000);

  test('gets the last record, too, before the daemon ends', async () => {
    client.close();
    expect(await daemon.stop()).toBe(0);
    expect(collector.logs.at(-1)?.name).toBe('stop ok');
  });

  test('that is not there keeps no daemon from starting, working or ending', async () => {
    writeConfig(house, { warden: yaml('{ otlp: "http://127.0.0.1:1" }'), inventory: INVENTORY });
    daemon = await startDaemon({ house });
    client = await Client.open(daemon.socket);
    await client.sign({ actor: 'agt-m3' });
    client.close();
    expect(await daemon.stop()).toBe(0);
  }, 20_000);
});
