import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { type Answered, DecisionPointServer } from './decision-point.ts';
import { Client, findings, houseOf, NO_LIMITS, recordOf, records, refusalOf } from './support.ts';

let daemon: RunningDaemon | undefined;
let house: House | undefined;
const clients: Client[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await daemon?.stop('SIGKILL');
  house?.remove();
});

async function start(warden: string, posture: 'dev' | 'test' = 'dev'): Promise<House> {
  house = houseOf(posture, warden);
  daemon = await startDaemon({ house });
  return house;
}

async function open(at: House): Promise<Client> {
  const client = await Client.open(at.socket);
  clients.push(client);
  return client;
}

const settled = async <T>(all: readonly Promise<T>[]) => {
  const done = await Promise.allSettled(all);
  const refused = await Promise.all(all.filter((_one, at) => done[at]?.status === 'rejected').map(refusalOf));
  return { ok: done.filter(({ status }) => status === 'fulfilled').length, refused };
};

describe('a caller over its limit', () => {
  it('of requests a second is told how long to wait, and is served again after that', async () => {
    const here = await start('limits: { per_caller_rate: 5/s }\n');
    const client = await open(here);
    const { ok, refused } = await settled(Array.from({ length: 60 }, () => client.sign()));
    expect(ok).toBeGreaterThanOrEqual(5);
    expect(refused.length).toBeGreaterThan(0);
    expect(ok + refused.length).toBe(60);
    for (const { status, reason, message, details } of refused) {
      expect({ status, reason, message }).toEqual({
        status: 8,
        reason: 'rate_limited',
        message: 'this caller asks faster than it may',
      });
      expect(details.retryAfterMs).toBeGreaterThan(0);
      expect(details.retryAfterMs).toBeLessThanOrEqual(1_000);
    }
    // The first is on record at once, the rest are counted: all are given its number.
    const numbers = new Set(refused.map(({ details }) => details.ledgerSeq));
    expect(numbers.size).toBe(1);
    const [seq] = numbers;
    expect(await recordOf(here, seq)).toMatchObject({ kind: 'sign', outcome: 'refused', reason: 'rate_limited' });
    const retryMs = Math.max(...refused.map(({ details }) => details.retryAfterMs ?? 0));
    await new Promise((resolve) => setTimeout(resolve, retryMs));
    expect((await client.sign()).evidence?.posture).toBe('dev');
  });

  it('of requests at the same time is told so, on whichever connection it asks', async () => {
    let release: (answered: Answered) => void = () => {};
    const held = new Promise<Answered>((resolve) => {
      release = resolve;
    });
    const point = await DecisionPointServer.start(() => held);
    try {
      const policy = `policy: { enabled: true, flex_auth_url: "${point.url}", timeout: 30s, cache_ttl: 0s }\n`;
      const limits = 'limits: { per_caller_rate: 1000/s, per_caller_concurrency: 3 }\n';
      const here = await start(policy + limits, 'test');
      const [one, two] = [await open(here), await open(here)];
      const running = [one.sign(), one.sign(), two.sign()];
      await point.askedTimes(3);
      for (const client of [one, two]) {
        const { status, reason, details } = await refusalOf(client.sign());
        expect({ status, reason, retryAfterMs: details.retryAfterMs }).toEqual({
          status: 8,
          reason: 'concurrency_limited',
          retryAfterMs: 100,
        });
      }
      release({ effect: 'allow', id: 'decision:1', reason: 'signing_policy_matched' });
      expect(await Promise.all(running)).toHaveLength(3);
      expect((await two.sign()).evidence?.policyEffect).toBe('allow');
    } finally {
      await point.close();
    }
  });

  it('of connections is cut off, and one that closes makes room', async () => {
    const here = await start('limits: { connections: 8 }\n');
    // An eighth is out of reach of any one caller.
    for (let n = 0; n < 7; n++) await (await open(here)).status();
    const eighth = await open(here);
    await expect(eighth.status()).rejects.toMatchObject({ code: 'daemon_unreachable' });
    const [first, second] = clients;
    first?.close();
    // The daemon has seen it once its own count says so.
    while (((await second?.status())?.connections ?? 0) > 6);
    expect((await (await open(here)).status()).pid).toBe(daemon?.pid);
  });
});

describe('a flood', () => {
  it('of 20,000 refused requests leaves a handful of records, and all of them are counted', async () => {
    const here = await start(NO_LIMITS);
    const client = await open(here);
    const answers: (string | undefined)[] = [];
    let left = 20_000;
    const ask = async (): Promise<void> => {
      while (left-- > 0) {
        const { reason, details } = await refusalOf(client.sign({ actor: `agt-flood-${left}` }));
        expect(reason).toBe('caller_not_allowed');
        answers.push(details.ledgerSeq);
      }
    };
    await Promise.all(Array.from({ length: 64 }, ask));
    expect(answers).toHaveLength(20_000);
    expect((await client.status()).refusals).toBe(20_000n);
    expect((await client.sign()).evidence?.posture).toBe('dev');
    client.close();
    expect(await daemon?.stop()).toBe(0);
    const refused = await records(here, { kind: 'sign', outcome: 'refused' });
    // The first at once, then one with a number for each minute and at the end.
    expect(refused.length).toBeLessThan(10);
    const counted = refused.reduce((sum, record) => sum + (record.count ?? 1), 0);
    expect(counted).toBe(20_000);
    for (const seq of new Set(answers))
      expect(await recordOf(here, seq)).toMatchObject({ reason: 'caller_not_allowed' });
    expect(await findings(here)).toEqual([]);
  }, 180_000);
});

describe('what is no gRPC', () => {
  const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
  const frame = (type: number, flags: number, stream: number, payload: Buffer, claimed = payload.length): Buffer => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(claimed, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(stream, 5);
    return Buffer.concat([head, payload]);
  };
  const settings = frame(4, 0, 0, Buffer.alloc(0));
  const begun = Buffer.concat([Buffer.from(PREFACE), settings]);

  /** HTTP/2's way to say that it will hear no more on this connection; closing it is left to who made it. */
  function goAway(socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      let seen = Buffer.alloc(0);
      socket.on('data', (chunk: Buffer) => {
        seen = Buffer.concat([seen, chunk]);
        for (let at = 0; at + 9 <= seen.length; at += 9 + seen.readUIntBE(at, 3)) if (seen[at + 3] === 7) resolve();
      });
    });
  }

  // `cut`: closed; `told`: a GOAWAY, and whoever made the connection holds it; `kept`: it may yet become a caller.
  const rows: readonly (readonly [string, Buffer, 'cut' | 'told' | 'kept'])[] = [
    ['random bytes', Buffer.from(Array.from({ length: 4_096 }, (_, n) => (n * 7919) % 251)), 'cut'],
    ['HTTP/1.1 text', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'cut'],
    ['a TLS greeting', Buffer.from('160301020001000 1fc0303'.replace(' ', ''), 'hex'), 'cut'],
    ['zeros', Buffer.alloc(65_536), 'cut'],
    [
      'a frame that claims sixteen megabytes',
      Buffer.concat([begun, frame(0, 0, 1, Buffer.alloc(100), 0xffffff)]),
      'told',
    ],
    ['settings that are none', Buffer.concat([Buffer.from(PREFACE), frame(4, 0, 0, Buffer.alloc(5))]), 'told'],
    ['headers that no table holds', Buffer.concat([begun, frame(1, 4, 1, Buffer.alloc(200, 0xff))]), 'told'],
    ['data on a stream that nobody opened', Buffer.concat([begun, frame(0, 1, 7, Buffer.from('x'))]), 'told'],
    ['half a greeting, and then nothing', Buffer.from(PREFACE.slice(0, 10)), 'kept'],
    ['a greeting, and then nothing', begun, 'kept'],
    ['nothing at all', Buffer.alloc(0), 'kept'],
  ];
  it.each(rows)('%s disturbs nobody else', async (_name, bytes, end) => {
    const here = await start(NO_LIMITS);
    const client = await open(here);
    for (let n = 0; n < 10; n++) {
      const socket = connect(here.socket);
      sockets.push(socket);
      socket.on('error', () => {});
      const ended =
        end === 'cut' ? new Promise<void>((resolve) => socket.once('close', () => resolve())) : goAway(socket);
      socket.resume();
      await new Promise((resolve) => socket.write(bytes, resolve));
      if (end !== 'kept') await ended;
      expect((await client.sign()).evidence?.posture).toBe('dev');
    }
    const { connections } = await client.status();
    // Having said GOAWAY, Node 24 closes the connection as well; older ones leave that to who made it.
    if (end === 'told') expect([1, 11]).toContain(connections);
    else expect(connections).toBe(end === 'cut' ? 1 : 11);
    expect(await client.health('')).toBe('SERVING');
    expect((await records(here, { outcome: 'failed' })).length).toBe(0);
  });

  it('requests that are given up half way leave nothing behind', async () => {
    const here = await start(NO_LIMITS);
    const client = await open(here);
    for (let n = 0; n < 50; n++) {
      const other = await Client.open(here.socket);
      const asked = other.sign().catch(() => null);
      other.close();
      await asked;
    }
    expect((await client.sign()).evidence?.posture).toBe('dev');
    await client.statusBecomes(({ requestsInFlight, connections }) => requestsInFlight <= 1 && connections === 1);
  });
});
