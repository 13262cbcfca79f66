import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FetchRequest, Purpose, SignRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { houseWith, INVENTORY, ROUTES, uid } from '../access/support.ts';
import { DecisionPointServer } from '../e2e/decision-point.ts';
import { Client, clear, houseOf, KEY, records, refusalOf } from '../e2e/support.ts';
import { start } from '../exec/support.ts';
import { json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

const { methods } = WardenDefinition;
type MethodName = keyof typeof methods;

const signs = (purpose: Purpose) => (client: Client) =>
  client.call(methods.sign, SignRequest.fromPartial({ actor: 'agt-m1', publicKey: KEY, purpose }));

/** What releases something, each in every way there is. A method that comes new must be put into one of the two lists. */
const RELEASES: Partial<Record<MethodName, Readonly<Record<string, (client: Client) => Promise<unknown>>>>> = {
  sign: {
    'a certificate': signs(Purpose.SIGN),
    'an issued certificate': signs(Purpose.ISSUE),
    'a host certificate': (client) =>
      client.call(methods.sign, SignRequest.fromPartial({ actor: 'host-1', publicKey: KEY, purpose: Purpose.HOST })),
  },
  exec: { 'a command with a secret': runs },
  fetch: {
    'a value': (client) =>
      client.call(methods.fetch, FetchRequest.fromPartial({ route: 'npm-publish', actor: 'agt-m1' })),
    'a wrapping token': (client) =>
      client.call(
        methods.fetch,
        FetchRequest.fromPartial({ route: 'npm-publish', actor: 'agt-m1', wrapTtlSeconds: 60n }),
      ),
    'what a tool prints': (client) =>
      client.call(methods.fetch, FetchRequest.fromPartial({ route: 'npm-by-tool', actor: 'agt-m3' })),
  },
};
const HOSTS = `hosts:
  - { name: host-1, host_certificate: { principals: [host-1.test], callers: [{ uid: ${uid} }] } }
`;
const RUNS = `  - id: runs
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: of/runs, fields: [a] } }
    exec_capable: true
    inject: [{ field: a, env: TOKEN }]
    actors: [agt-m1]
`;

/** A command with a secret, by the client: its stream is its own. */
async function runs(): Promise<void> {
  const result = await cli('exec', '--actor', 'agt-m1', '--route', 'runs', '--json', '--', 'true');
  if (result.code === 0) return;
  const { error } = JSON.parse(result.stdout) as { error: { reason: string; message: string; ledger_seq: unknown } };
  throw Object.assign(new Error(error.message), {
    reason: error.reason,
    details: { ledgerSeq: String(error.ledger_seq) },
  });
}

interface Refusal extends Error {
  readonly reason: string;
  readonly details: { readonly ledgerSeq?: string };
}

const refusal = (asked: Promise<unknown>): Promise<Refusal> =>
  asked.then(
    () => {
      throw new Error('it was not refused');
    },
    (error: Refusal) => error,
  );

const RELEASES_NOTHING: readonly MethodName[] = [
  'getAuthorities',
  'listActors',
  'listHosts',
  'explain',
  'listRoutes',
  'status',
  'watchStatus',
  'queryLedger',
  'reload',
  'breakGlass',
  'revoke',
  'getRevocationList',
  'lockdown',
];

let daemon: RunningDaemon;
let client: Client;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseWith({ inventory: `${INVENTORY}${HOSTS}`, routes: `${ROUTES}${RUNS}` }) });
  client = await Client.open(daemon.socket);
});
afterAll(async () => {
  client?.close();
  await clear(daemon);
});
const cli = (...args: string[]) => warden(args, { env: { WARDEN_SOCKET: daemon.socket } });

const keyFile = (): string => {
  const file = join(daemon.house.folder, 'key.pub');
  writeFileSync(file, KEY);
  return file;
};

const ways = Object.entries(RELEASES).flatMap(([method, all]) =>
  Object.entries(all).map(([what, ask]) => [what, method, ask] as const),
);

test('every method of the service either is walked here or releases nothing', () => {
  expect([...Object.keys(RELEASES), ...RELEASES_NOTHING].sort()).toEqual(Object.keys(methods).sort());
});

describe('under a lockdown', () => {
  test.each(ways)('%s is released before it', async (_, __, ask) => {
    await ask(client);
  });

  test('it is said on the screen, in the ledger, in status and in health', async () => {
    expect(await client.health('release')).toBe('SERVING');
    const { code, stdout } = await cli('lockdown', '--reason', 'INC-9: agent host');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^locked down since .* · ledger \d+\n {2}no certificate, no secret /);
    expect(await records(daemon.house, { kind: 'lockdown' })).toMatchObject([
      { outcome: 'ok', action: 'set', user_reason: 'INC-9: agent host' },
    ]);
    expect((await cli('status')).stdout).toMatch(
      /note: LOCKED DOWN since \S+ \(INC-9: agent host\): nothing is released/,
    );
    expect(await client.health('release')).toBe('NOT_SERVING');
    expect(await client.health('')).toBe('SERVING');
    expect(json(await cli('lockdown', '--json'))).toMatchObject({ locked_down: true, ledger_seq: 0 });
  });

  test.each(ways)('%s is refused, and the refusal is recorded', async (_, kind, ask) => {
    const error = await refusal(ask(client));
    expect(error).toMatchObject({ reason: 'locked_down', message: expect.stringContaining('locked this daemon down') });
    const [record] = (await records(daemon.house, { reason: 'locked_down' })).slice(-1);
    expect(record).toMatchObject({
      outcome: 'refused',
      kind: expect.stringMatching(kind === 'fetch' ? /^fetch$/ : /^(sign|issue|host|exec_start)$/),
    });
    expect(String(record?.seq)).toBe(error.details.ledgerSeq);
  });

  test('explain says so, and a stranger learns nothing more than before', async () => {
    const explained = await cli('explain', 'sign', 'agt-m1', '--pubkey', keyFile(), '--json');
    expect(json(explained)).toMatchObject({
      verdict: 'refused',
      reason: 'locked_down',
      steps: expect.arrayContaining([
        expect.objectContaining({ name: 'callers', outcome: 'held' }),
        expect.objectContaining({ name: 'standing', outcome: 'failed' }),
      ]),
    });
    expect(await refusalOf(client.sign({ actor: 'agt-foreign' }))).toMatchObject({ reason: 'caller_not_allowed' });
  });

  test('a command that runs already goes on to its end', async () => {
    await cli('lockdown', '--lift');
    const command = [
      '--actor',
      'agt-m1',
      '--route',
      'runs',
      '--',
      'sh',
      '-c',
      'echo begun; read -r word; echo "$word"',
    ];
    const running = start(daemon, command, { stdin: 'open' });
    await running.saw('begun');
    expect((await cli('lockdown')).code).toBe(0);
    running.child.stdin?.end('and ended\n');
    const { code, stdout } = await running.ended;
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: 'begun\nand ended\n' });
  });

  test('a restart keeps it, and lifting it ends it', async () => {
    client.close();
    await daemon.stop('SIGKILL');
    daemon = await startDaemon({ house: daemon.house });
    client = await Client.open(daemon.socket);
    for (const [, , ask] of ways) expect(await refusal(ask(client))).toMatchObject({ reason: 'locked_down' });
    expect(await client.health('release')).toBe('NOT_SERVING');
    expect((await cli('lockdown', '--lift')).stdout).toMatch(/^the lockdown is lifted · ledger \d+\n$/);
    for (const [, , ask] of ways) await ask(client);
    expect(await client.health('release')).toBe('SERVING');
    expect((await cli('lockdown', '--lift')).stdout).toBe('nothing is locked down\n');
  });
});

describe('a request that had passed the gate when it came', () => {
  test.each([
    ['a lockdown', ['lockdown'], 'locked_down'],
    ['the revocation of its actor', ['revoke', '--actor', 'agt-test'], 'actor_revoked'],
  ] as const)('is refused by %s all the same', async (_, command, reason) => {
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const point = await DecisionPointServer.start(async () => {
      await held;
      return { effect: 'allow', id: 'decision:1' };
    });
    const gated = await startDaemon({
      house: houseOf('test', `policy: { enabled: true, flex_auth_url: "${point.url}", timeout: 60s }\n`),
    });
    const caller = await Client.open(gated.socket);
    try {
      const answer = refusalOf(caller.sign());
      await point.askedTimes(1);
      expect((await warden(command, { env: { WARDEN_SOCKET: gated.socket } })).code).toBe(0);
      letGo();
      expect(await answer).toMatchObject({ reason });
      expect(await records(gated.house, { kind: 'sign' })).toMatchObject([
        { outcome: 'refused', reason, policy_decision_id: 'decision:1', certificate_issued: false },
      ]);
    } finally {
      caller.close();
      await clear(gated);
      await point.close();
    }
  });
});
