import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTraceparent } from '../../src/kernel/traceparent.ts';
import { houseWith, INVENTORY } from '../access/support.ts';
import { clear, KEY, records } from '../e2e/support.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { type House, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { Outside, type Seen } from './outside.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

let outside: Outside;
let house: House;
let daemon: RunningDaemon;

beforeAll(async () => {
  outside = await Outside.start();
  const { gateUrl, baoUrl } = await outside.listen();
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
  await outside.stop();
});

function run(args: string, env: Record<string, string> = {}): Promise<CliResult> {
  return warden(args.split(' '), {
    cwd: house.folder,
    env: { WARDEN_SOCKET: daemon.socket, BAO_TOKEN: outside.bao.rootToken, ...env },
  });
}

const SIGN = 'sign agt-m3 --pubkey key.pub --json';
const FETCH = 'fetch npm-publish --actor agt-m3 --json';
const onlyTo = (seen: readonly Seen[], path: RegExp): readonly Seen[] => seen.filter((one) => path.test(one.path));

describe('the trace of a request', () => {
  test('goes from the caller to the gate, to OpenBao, into the ledger and into the log', async () => {
    const fetched = await run(FETCH, { TRACEPARENT: `00-${TRACE}-${SPAN}-00`, TRACESTATE: 'congo=t61, rojo=1' });
    expect(fetched.code).toBe(0);
    const [asked] = onlyTo(outside.atGate, /check/);
    const [read] = onlyTo(outside.atStore, /platform-test\/data/);
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
    const before = outside.atGate.length;
    expect((await run(SIGN, env)).code).toBe(0);
    const sent = parseTraceparent(String(outside.atGate[before]?.headers.traceparent));
    expect(sent).toMatchObject({ sampled: true });
    expect(outside.atGate[before]?.headers.tracestate).toBeUndefined();
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
