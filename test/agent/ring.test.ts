import { beforeEach, describe, expect, test } from 'vitest';
import type { Events } from '../../client/agent/events.ts';
import { Ring } from '../../client/agent/ring.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { RpcError } from '../../src/rpc/client/rpc-error.ts';
import { HandTime } from './support/hand-timers.ts';
import { HandIssuer } from './support/issuer.ts';

const MINUTE = 60_000;
const refusal = new RpcError(7, 'caller_not_allowed', 'this caller may not ask for that', { ledgerSeq: '17' });
const away = new WardenError('daemon_unreachable', 'no daemon at /run/warden/wardend.sock');

let time: HandTime;
let issuer: HandIssuer;
let said: string[];
let ring: Ring;

function makeRing(...actors: string[]): Ring {
  const events: Events = {
    note: (event) => said.push(event),
    problem: (event, _fields, sentence) => said.push(`${event}: ${sentence}`),
  };
  return new Ring(actors, { issuer, clock: time, timers: time, random: () => 0.5, events });
}
beforeEach(() => {
  time = new HandTime();
  issuer = new HandIssuer(time);
  said = [];
  ring = makeRing('adm-tester');
});
/** Lets what a timer set off come to its end. */
const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};
const serials = async (): Promise<string[]> =>
  (await ring.offer()).map(({ certificate }) => String(certificate.serial));

describe('asking for a certificate', () => {
  test('happens at the first need and not before', async () => {
    await settled();
    expect(issuer.asked).toEqual([]);
    expect(await serials()).toEqual(['1']);
    expect(said).toEqual(['issued']);
  });

  test('is done once for all who wait', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => ring.offer()));
    expect(issuer.asked).toHaveLength(1);
    expect(new Set(all.map(([held]) => held?.blob.toString('hex'))).size).toBe(1);
  });

  test('is done for each actor, in their order', async () => {
    ring = makeRing('adm-tester', 'agt-test');
    expect((await ring.offer()).map(({ actor }) => actor)).toEqual(['adm-tester', 'agt-test']);
    expect(new Set(issuer.asked.map(({ publicKey }) => publicKey)).size).toBe(2);
  });

  test('that is refused for one actor leaves the others', async () => {
    ring = makeRing('adm-tester', 'agt-test');
    const issue = issuer.issue.bind(issuer);
    issuer.issue = (actor, key) => (actor === 'agt-test' ? Promise.reject(refusal) : issue(actor, key));
    expect((await ring.offer()).map(({ actor }) => actor)).toEqual(['adm-tester']);
    expect(ring.states().actors.map(({ problem }) => problem?.reason)).toEqual([undefined, 'caller_not_allowed']);
    // Both ask at the same time: either may be told of first.
    expect(said).toContainEqual(
      expect.stringContaining('agt-test: refused: this caller may not ask for that (caller_not_allowed, ledger 17)'),
    );
  });

  test('is repeated for the next need after a refusal, and not within one login', async () => {
    issuer.fails = refusal;
    expect(await ring.offer()).toEqual([]);
    expect(await ring.offer()).toEqual([]);
    expect(issuer.asked).toHaveLength(1);
    issuer.fails = null;
    time.pass(2_000);
    expect(await serials()).toEqual(['2']);
    expect(ring.states().actors[0]?.problem).toBeNull();
  });

  test('that comes back after everything was thrown away belongs to no one', async () => {
    let open = (): void => {};
    issuer.gate = new Promise((resolve) => {
      open = resolve;
    });
    const offered = ring.offer();
    await settled();
    ring.forget(null);
    open();
    expect(await offered).toEqual([]);
    expect(ring.holdsAny).toBe(false);
  });
});

describe('renewing', () => {
  test('happens after two thirds of the life and before the end, where the certificate was used', async () => {
    const [held] = await ring.offer();
    ring.find(held?.blob ?? Buffer.alloc(0));
    time.pass(40 * MINUTE);
    await settled();
    expect(issuer.asked).toHaveLength(1);
    time.pass(4 * MINUTE);
    await settled();
    expect(issuer.asked).toHaveLength(2);
    expect(await serials()).toEqual(['2']);
  });

  test('keeps the key, and the certificate before for a login that is under way', async () => {
    const [first] = await ring.offer();
    const blob = first?.blob ?? Buffer.alloc(0);
    ring.find(blob);
    time.pass(44 * MINUTE);
    await settled();
    const [second] = await ring.offer();
    expect(second?.key).toBe(first?.key);
    expect(second?.blob.equals(blob)).toBe(false);
    expect(ring.find(blob)).toBe(first);
    time.pass(17 * MINUTE);
    expect(ring.find(blob)).toBeNull();
  });

  test('is left out where nobody used the certificate: it lapses, and the next need asks anew', async () => {
    await ring.offer();
    time.pass(59 * MINUTE);
    await settled();
    expect(issuer.asked).toHaveLength(1);
    time.pass(2 * MINUTE);
    expect(ring.holdsAny).toBe(false);
    expect(await serials()).toEqual(['2']);
  });

  test('is set off by the next need where the machine slept over the timer', async () => {
    await ring.offer();
    time.wall += 50 * MINUTE;
    expect(await serials()).toEqual(['1']);
    await settled();
    expect(await serials()).toEqual(['2']);
  });

  test('that finds no daemon keeps what is held, and tries again ever more slowly', async () => {
    const [held] = await ring.offer();
    ring.find(held?.blob ?? Buffer.alloc(0));
    issuer.fails = away;
    time.pass(44 * MINUTE);
    await settled();
    expect(ring.holdsAny).toBe(true);
    const tries: number[] = [];
    for (let i = 0; i < 600; i++) {
      const before = issuer.asked.length;
      time.pass(1_000);
      await settled();
      if (issuer.asked.length > before) tries.push(i);
    }
    expect(tries.length).toBeGreaterThan(3);
    expect(tries.length).toBeLessThan(15);
    issuer.fails = null;
    time.pass(2 * MINUTE);
    await settled();
    expect(ring.states().actors[0]).toMatchObject({ problem: null });
    expect(await serials()).not.toEqual(['1']);
  });

  test.each([
    ['caller_not_allowed', refusal],
    ['policy_denied', new RpcError(7, 'policy_denied', 'the decision point said no')],
    ['a reason that this client does not know', new RpcError(7, 'from_the_future', 'no')],
  ])('that is refused (%s) drops key and certificates at once', async (_name, error) => {
    const [held] = await ring.offer();
    const blob = held?.blob ?? Buffer.alloc(0);
    ring.find(blob);
    issuer.fails = error;
    time.pass(44 * MINUTE);
    await settled();
    expect(ring.holdsAny).toBe(false);
    expect(ring.find(blob)).toBeNull();
    expect(await ring.offer()).toEqual([]);
  });

  test.each(['rate_limited', 'concurrency_limited'])('that is put off (%s) keeps what is held', async (reason) => {
    const [held] = await ring.offer();
    ring.find(held?.blob ?? Buffer.alloc(0));
    issuer.fails = new RpcError(8, reason, 'too much');
    time.pass(44 * MINUTE);
    await settled();
    expect(ring.holdsAny).toBe(true);
  });
});

describe('the end of a certificate', () => {
  test('takes it from the offer a moment before, and from signing at the end', async () => {
    const [held] = await ring.offer();
    const blob = held?.blob ?? Buffer.alloc(0);
    issuer.fails = away;
    time.wall += 60 * MINUTE - 4_500;
    expect(await ring.offer()).toEqual([]);
    expect(ring.find(blob)).toBe(held);
    time.wall += 4_500;
    expect(ring.find(blob)).toBeNull();
  });
});

describe('looking again at what is held', () => {
  test('drops what the daemon would not issue any more', async () => {
    await ring.offer();
    issuer.refuses = 'caller_not_allowed';
    await ring.recheck();
    expect(ring.holdsAny).toBe(false);
    expect(said.at(-1)).toContain('dropped: adm-tester: the daemon would not issue it any more (caller_not_allowed)');
  });

  test('drops a certificate that is revoked, and the next need gets another over a new key', async () => {
    const [held] = await ring.offer();
    issuer.revokedSerials = [1n];
    await ring.recheck();
    expect(ring.holdsAny).toBe(false);
    expect(said.at(-1)).toContain('dropped: adm-tester: certificate with serial 1 is revoked');
    const [next] = await ring.offer();
    expect(next?.certificate.serial).toBe(2n);
    expect(next?.certificate.publicKey.blob).not.toEqual(held?.certificate.publicKey.blob);
  });

  test('keeps what it would, and what it cannot be asked about', async () => {
    await ring.offer();
    await ring.recheck();
    issuer.fails = away;
    await ring.recheck();
    expect(ring.holdsAny).toBe(true);
  });

  test('asks about nothing where nothing is held', async () => {
    issuer.refuses = 'caller_not_allowed';
    await ring.recheck();
    expect(said).toEqual([]);
  });
});

test("a name that is none of the user's is told at the start", async () => {
  ring = makeRing('adm-tester', 'agt-typo');
  await ring.chooseActor();
  expect(said).toEqual(['not_yours: agt-typo does not admit you; yours: adm-tester']);
});

describe('without an actor named', () => {
  beforeEach(() => {
    ring = makeRing();
  });

  test('the only one is taken', async () => {
    await ring.chooseActor();
    expect(ring.unresolved).toBeNull();
    expect((await ring.offer()).map(({ actor }) => actor)).toEqual(['adm-tester']);
  });

  test('one must be chosen where there are several', async () => {
    issuer.names = ['adm-tester', 'agt-test'];
    await ring.chooseActor();
    expect(ring.unresolved).toBe('2 actors admit you: adm-tester, agt-test');
    expect(await ring.offer()).toEqual([]);
  });

  test('there is nothing where none admits the user', async () => {
    issuer.names = [];
    await ring.chooseActor();
    expect(ring.unresolved).toBe('no actor admits you');
  });

  test('a daemon that was away at the start is asked at the next need', async () => {
    issuer.fails = away;
    await expect(ring.chooseActor()).rejects.toBe(away);
    expect(await ring.offer()).toEqual([]);
    expect(ring.states().problem).toContain('no daemon at');
    issuer.fails = null;
    expect(await serials()).toEqual(['1']);
  });
});
