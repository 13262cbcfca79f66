import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ExplainRequest,
  ExplainResponse,
  LedgerRecord,
  ListActorsResponse,
} from '../../src/rpc/generated/warden/v1/warden.ts';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import {
  body,
  type Callers,
  callAfter,
  callAs,
  explained,
  makeCallers,
  messages,
  type RawAnswer,
  signed,
} from './stranger.ts';
import { Client, clear, houseOf, isRoot, KEY, NO_LIMITS, publicHouse, recordOf, records } from './support.ts';

// Numbers that no account of a machine has: nothing else runs as them.
const HUB = 54_321;
const STRANGER = 54_322;
const GROUP = 54_321;
const asHub = { uid: HUB, gid: GROUP };
const asStranger = { uid: STRANGER, gid: GROUP };

let callers: Callers;
let house: House;
let daemon: RunningDaemon;

beforeAll(async () => {
  if (!isRoot) return;
  callers = makeCallers();
  const [one] = callers.programs;
  const digest = createHash('sha256').update(readFileSync(one)).digest('hex');
  const inventory = `version: 1
actors:
  - { name: agt-test, type: agt, principals: [agt-test], callers: [{ uid: 0 }] }
  - { name: agt-hub, type: agt, principals: [agt-hub], callers: [{ uid: ${HUB} }] }
  - { name: agt-program, type: agt, principals: [agt-program], callers: [{ exe: ${one} }] }
  - { name: agt-digest, type: agt, principals: [agt-digest], callers: [{ uid: ${HUB}, exe_sha256: "${digest}" }] }
  - { name: agt-other-digest, type: agt, principals: [agt-x], callers: [{ uid: ${HUB}, exe_sha256: "${'0'.repeat(64)}" }] }
`;
  const socket = `socket: { mode: "0660", group: ${GROUP} }\n`;
  house = publicHouse(houseOf('dev', socket + NO_LIMITS, inventory));
  daemon = await startDaemon({ house });
});
beforeEach(({ skip }) => {
  if (!isRoot) skip('only root can play other users');
});
afterAll(async () => {
  await clear(daemon, house);
  callers?.remove();
});

const order = (actor: string, more: Partial<Parameters<typeof callAs>[1]> = {}) => ({
  socket: house.socket,
  program: callers.programs[0],
  actor,
  ...more,
});

describe('who is asked for is decided by the kernel’s word on who asks', () => {
  const rows: readonly (readonly [string, string, () => Parameters<typeof callAs>[1], string])[] = [
    ['the uid that an actor names gets its certificate', 'OK', () => order('agt-hub', { as: asHub }), 'agt-hub'],
    ['another uid does not', 'caller_not_allowed', () => order('agt-hub', { as: asStranger }), ''],
    ['root is just another uid', 'caller_not_allowed', () => order('agt-hub'), ''],
    ['the executable that an actor names gets its certificate', 'OK', () => order('agt-program'), 'agt-program'],
    [
      'another file with the same bytes does not',
      'caller_not_allowed',
      () => order('agt-program', { program: callers.programs[1] }),
      '',
    ],
    ['a digest holds for the program it was taken of', 'OK', () => order('agt-digest', { as: asHub }), 'agt-digest'],
    [
      'and for another file with the same bytes',
      'OK',
      () => order('agt-digest', { as: asHub, program: callers.programs[1] }),
      'agt-digest',
    ],
    ['and not for another uid', 'caller_not_allowed', () => order('agt-digest', { as: asStranger }), ''],
    ['another digest does not hold', 'caller_not_allowed', () => order('agt-other-digest', { as: asHub }), ''],
  ];
  it.each(rows)('%s', async (_name, wanted, asked, principal) => {
    const answer = await callAs(callers, asked());
    if (wanted === 'OK') {
      const { evidence } = signed(answer);
      expect(answer).toMatchObject({ status: 0, message: 'OK' });
      expect(evidence?.principals).toEqual([principal]);
      const record = await recordOf(house, evidence?.ledgerSeq);
      expect(record).toMatchObject({ kind: 'sign', outcome: 'ok', actor: principal, certificate_issued: true });
      expect(record?.caller).toMatchObject({ uid: asked().as?.uid ?? 0, exe: asked().program });
      return;
    }
    const { status, message, reason, domain, metadata, retryMs } = explained(answer);
    expect({ status, message, reason, domain, retryMs }).toEqual({
      status: 7,
      message: 'this caller may not ask for that',
      reason: wanted,
      domain: 'warden',
      retryMs: null,
    });
    expect(answer.body).toBe('');
    const record = await recordOf(house, metadata.ledger_seq);
    expect(record).toMatchObject({ kind: 'sign', outcome: 'refused', reason: wanted, certificate_issued: false });
    expect(record?.caller).toMatchObject({ uid: asked().as?.uid ?? 0, exe: asked().program });
    expect(record?.serial).toBeUndefined();
  });

  it('a digest is read for a caller that a selector could mean, and for no other', async () => {
    const digestsOf = async (uid: number) => {
      const seen = await records(house, { uid, kind: 'sign' });
      expect(seen.length).toBeGreaterThan(0);
      return seen.filter(({ caller }) => caller?.exe_sha256 !== undefined).length;
    };
    expect(await digestsOf(HUB)).toBeGreaterThan(0);
    expect(await digestsOf(STRANGER)).toBe(0);
    expect(await digestsOf(0)).toBe(0);
  });
});

describe('a connection belongs to the process that made it', () => {
  /** Connections are taken in order, and attested as they are: one that came later and is answered says so of theirs. */
  const attested = async (): Promise<void> => {
    const later = await Client.open(house.socket);
    await later.status();
    later.close();
  };

  it.each([
    [
      'whose process runs another program by now',
      'exec',
      'caller_changed',
      'the calling process runs another program than when it connected',
    ],
    ['that was handed on by a process that is gone', 'leave', 'caller_gone', 'the calling process is gone'],
  ] as const)('one %s is refused, and recorded as of who made it', async (_name, how, reason, sentence) => {
    const answer = await callAfter(callers, how, order('agt-test'), attested);
    const told = explained(answer);
    expect(told).toMatchObject({ status: 16, message: sentence, reason });
    expect(answer.body).toBe('');
    const record = await recordOf(house, told.metadata.ledger_seq);
    expect(record).toMatchObject({ kind: 'sign', outcome: 'refused', reason });
    expect(record?.caller).toMatchObject({ uid: 0, exe: expect.stringContaining('python3') });
  });
});

describe('nothing that a client sends says who it is', () => {
  // What proxies and other services believe, our own tag for connections, and gRPC's and HTTP/2's own fields.
  const forged: readonly (readonly [string, Readonly<Record<string, string | readonly string[]>>])[] = [
    ['an authority that is the tag of another connection', { ':authority': 'caller-1' }],
    ['an authority that is the name of a user', { ':authority': 'root' }],
    ['a host', { host: 'caller-1' }],
    [
      'the tag as a peer address',
      { 'x-forwarded-for': 'caller-1', forwarded: 'for=caller-1', 'x-real-ip': 'caller-1' },
    ],
    [
      'the tag under every name it could have',
      { peer: 'caller-1', caller: 'caller-1', 'remote-address': 'caller-1', 'grpc-peer': 'caller-1' },
    ],
    ['a private metadata key', { 'x-wardend-caller': 'caller-1', 'warden-caller': 'uid=0', 'x-warden-uid': '0' }],
    [
      'a binary one',
      { 'caller-bin': Buffer.from('caller-1').toString('base64'), 'x-peer-cred-bin': 'AAAAAAAAAAAAAAAA' },
    ],
    ['ids', { uid: '0', gid: '0', pid: '1', 'x-remote-user': 'root', 'x-forwarded-user': 'root' }],
    ['the daemon’s own agent', { 'user-agent': 'wardend', from: 'root@localhost' }],
    ['credentials', { authorization: 'Bearer root', cookie: 'uid=0', 'proxy-authorization': 'Basic cm9vdDo=' }],
    ['a certificate of a proxy', { 'x-forwarded-client-cert': 'Subject="CN=root"', 'ssl-client-verify': 'SUCCESS' }],
    ['a value twice', { 'x-forwarded-for': ['caller-1', '127.0.0.1'] }],
    ['a label of a double', { 'x-wardend-double': '1', 'x-request-id': '00000000-0000-7000-8000-000000000000' }],
  ];
  it.each(forged)('not %s', async (_name, headers) => {
    const answer = await callAs(callers, order('agt-test', { as: asStranger, headers }));
    expect(explained(answer)).toMatchObject({ status: 7, reason: 'caller_not_allowed' });
    const record = await recordOf(house, explained(answer).metadata.ledger_seq);
    expect(record?.caller).toMatchObject({ uid: STRANGER, gid: GROUP });
  });

  it('and all of it at once does no harm to who may ask', async () => {
    const headers = Object.assign({}, ...forged.map(([, some]) => some));
    const answer = await callAs(callers, order('agt-hub', { as: asHub, headers }));
    expect(answer).toMatchObject({ status: 0 });
    const record = await recordOf(house, signed(answer).evidence?.ledgerSeq);
    expect(record?.caller).toMatchObject({ uid: HUB, gid: GROUP });
  });
});

describe('a caller that matches nothing', () => {
  /** Everything that came back, but for the two numbers that tell one answer from another. */
  function shape(answer: RawAnswer): { shape: string; ids: (string | undefined)[] } {
    const { request_id = '', ledger_seq = '' } = explained(answer).metadata;
    const bytes = Buffer.from(answer.details, 'base64').toString('latin1');
    const blank = bytes.replace(request_id, '0'.repeat(36)).replace(ledger_seq, '0'.repeat(ledger_seq.length));
    return { shape: JSON.stringify({ ...answer, details: blank }), ids: [request_id, ledger_seq] };
  }

  it('gets the same bytes whether or not the actor exists, and whatever it asks', async () => {
    const names = ['agt-nobody', 'agt-test', 'agt-hub', 'agt-program', 'agt-digest', 'agt-other-digest', 'adm-root'];
    const asked = await Promise.all(
      names.map((name) => callAs(callers, order(name, { as: asStranger, program: callers.programs[1] }))),
    );
    const shapes = asked.map(shape);
    expect(new Set(shapes.map((one) => one.shape)).size).toBe(1);
    expect(new Set(shapes.map((one) => one.ids[0])).size).toBe(names.length);
    expect(explained(asked[0] as RawAnswer).metadata.hint).toBe('quote the ledger number to your administrator');
    for (const answer of asked) {
      const text = Buffer.from(answer.details, 'base64').toString('latin1');
      for (const name of names) expect(text).not.toContain(name);
    }
  });

  it('is explained nothing that it could not know, for an actor that exists as for one that does not', async () => {
    const explain = async (actor: string): Promise<string> => {
      const request = ExplainRequest.encode(ExplainRequest.fromPartial({ sign: { actor, publicKey: KEY } })).finish();
      const method = '/warden.v1.Warden/Explain';
      const answer = await callAs(callers, order('', { as: asStranger, request, method }));
      expect(answer.status).toBe(0);
      const { requestId, ...rest } = ExplainResponse.decode(body(answer));
      expect(requestId).not.toBe('');
      // The process is another each time.
      return JSON.stringify(rest, (_key, value) => (typeof value === 'bigint' ? String(value) : value)).replace(
        /pid \d+/,
        'pid',
      );
    };
    const known = await explain('agt-test');
    expect(known).toBe(await explain('agt-nobody'));
    expect(known).toContain('caller_not_allowed');
    expect(known).not.toContain('uid 0');
  });

  it('is not told of actors by the list of those it may ask for', async () => {
    const method = '/warden.v1.Warden/ListActors';
    const list = async (as: { uid: number; gid: number }) => {
      const answer = await callAs(
        callers,
        order('', { as, request: new Uint8Array(), method, program: callers.programs[1] }),
      );
      return ListActorsResponse.decode(body(answer)).actors.map(({ name }) => name);
    };
    expect(await list(asStranger)).toEqual([]);
    expect(await list(asHub)).toEqual(['agt-hub', 'agt-digest']);
  });

  it('reads no record but its own', async () => {
    const method = '/warden.v1.Warden/QueryLedger';
    const answer = await callAs(callers, order('', { as: asStranger, request: new Uint8Array(), method }));
    expect(answer.status).toBe(0);
    const uids = new Set<unknown>();
    for (const message of messages(answer)) {
      uids.add((JSON.parse(LedgerRecord.decode(message).json) as { caller?: { uid?: number } }).caller?.uid);
    }
    expect([...uids]).toEqual([STRANGER]);
  });
});

describe('a socket that is closed to others', () => {
  it('is closed by the kernel: another uid does not even connect', async () => {
    const closed = publicHouse(houseOf('dev'));
    const running = await startDaemon({ house: closed });
    try {
      const answer = await callAs(callers, order('agt-test', { as: asStranger, socket: closed.socket }));
      expect(answer.failed).toBe('EACCES');
    } finally {
      await clear(running, closed);
    }
  });
});
