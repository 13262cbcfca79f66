import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { WardenError } from '../../src/kernel/errors.ts';
import {
  BACKDATE_SECONDS,
  checkCeiling,
  MAX_TTL_SECONDS,
  type PlanInput,
  planCertificate,
  ttlHours,
} from '../../src/signing/plan.ts';
import type { PublicKey } from '../../src/ssh/public-key.ts';
import { ACTOR, failure, keyOf, NOW, REQUEST_ID, skEcdsa, skEd25519 } from './support/subjects.ts';

const CEILINGS = { adm: 48 * 3600, agt: 24 * 3600, atm: 8 * 3600 };
const SECOND = Math.floor(NOW / 1000);

let publicKey: PublicKey;
beforeAll(async () => {
  publicKey = (await keyOf('ed25519')).publicKey;
});

const input = (more: Partial<PlanInput> = {}): PlanInput => ({
  actor: ACTOR,
  publicKey,
  principals: [],
  ttlSeconds: 0,
  now: NOW,
  requestId: REQUEST_ID,
  ...more,
});

describe('what a plan says', () => {
  test('with nothing asked it takes all principals and the default TTL, and begins 60 s back', () => {
    const plan = planCertificate(input());
    expect(plan).toEqual({
      publicKey,
      kind: 'user',
      actor: 'agt-state-hub-bridge',
      actorType: 'agt',
      keyId: '',
      principals: ['agt-task-bridge', 'agt-state'],
      validAfter: BigInt(SECOND - 60),
      validBefore: BigInt(SECOND + 8 * 3600),
      ttlSeconds: 8 * 3600,
      options: ACTOR.options,
      serial: null,
      requestId: REQUEST_ID,
    });
  });

  test('the 60 s before now do not count into the TTL', () => {
    const plan = planCertificate(input({ ttlSeconds: 3600 }));
    expect(plan.ttlSeconds).toBe(3600);
    expect(plan.validBefore - plan.validAfter).toBe(3660n);
  });

  test('a TTL of 999 hours is planned as asked: the gate judges it', () => {
    expect(planCertificate(input({ ttlSeconds: 999 * 3600 })).ttlSeconds).toBe(999 * 3600);
  });

  test('a TTL off the wire may be a bigint', () => {
    expect(planCertificate(input({ ttlSeconds: 90n })).ttlSeconds).toBe(90);
  });

  test('a clock that stands at the epoch makes no negative start', () => {
    expect(planCertificate(input({ now: 5_000 })).validAfter).toBe(0n);
  });
});

describe('verify-required', () => {
  const verified = { ...ACTOR, options: { ...ACTOR.options, verifyRequired: true } };

  test.each(['ed25519', 'ecdsa-p256', 'rsa-3072'] as const)(
    'is not to be had with an ordinary key: %s',
    async (kind) => {
      const { publicKey: ordinary } = await keyOf(kind);
      expect(await failure(() => planCertificate(input({ actor: verified, publicKey: ordinary })))).toMatchObject({
        code: 'public_key_unsupported',
        message: `agt-state-hub-bridge needs a security key that verifies its user, and this is a ${ordinary.algorithm} key`,
        hint: 'make one: ssh-keygen -t ed25519-sk -O verify-required',
      });
    },
  );

  test.each([
    ['ed25519', skEd25519],
    ['ecdsa', skEcdsa],
  ])('is planned for a security key: %s', async (_, key) => {
    expect(planCertificate(input({ actor: verified, publicKey: await key() })).options.verifyRequired).toBe(true);
  });
});

describe('principals', () => {
  test.each([
    ['one that the inventory does not list', ['root']],
    ['one listed and one not', ['agt-state', 'root']],
    ['the empty string', ['']],
    ['two listed ones joined by a comma', ['agt-task-bridge,agt-state']],
    ['a listed one in capitals', ['AGT-STATE']],
    ['a listed one with a space behind it', ['agt-state ']],
    ['a listed one with a newline behind it', ['agt-state\n']],
  ])('%s is refused', async (_name, principals) => {
    const error = await failure(() => planCertificate(input({ principals })));
    expect(error.code).toBe('disallowed_principal');
    expect(error.message).toContain('is not among the principals of agt-state-hub-bridge');
    expect(error.message).toMatch(/^[\x20-\x7e]+$/);
  });

  test('an actor without principals gets no certificate', async () => {
    const error = await failure(() => planCertificate(input({ actor: { ...ACTOR, principals: [] } })));
    expect(error.code).toBe('disallowed_principal');
    expect(error.message).toBe('agt-state-hub-bridge has no principals');
  });

  test.each([['a,b'], [''], ['a b'], ['a\u202eb']])('%j is refused even where an inventory lists it', async (bad) => {
    const actor = { ...ACTOR, principals: [bad] };
    expect((await failure(() => planCertificate(input({ actor })))).code).toBe('disallowed_principal');
  });

  test('one asked for twice is refused', async () => {
    const error = await failure(() => planCertificate(input({ principals: ['agt-state', 'agt-state'] })));
    expect(error.code).toBe('invalid_request');
    expect(error.message).toBe('principal "agt-state" is asked for twice');
  });

  test('more than OpenSSH reads are refused', async () => {
    const principals = Array.from({ length: 257 }, (_, i) => `p${i}`);
    const error = await failure(() => planCertificate(input({ actor: { ...ACTOR, principals } })));
    expect(error.code).toBe('disallowed_principal');
    expect(error.message).toBe('257 principals are more than the 256 that OpenSSH reads');
    const chosen = principals.slice(0, 256);
    expect(planCertificate(input({ actor: { ...ACTOR, principals }, principals: chosen })).principals).toEqual(chosen);
  });

  test('a long one is cut in the message', async () => {
    const error = await failure(() => planCertificate(input({ principals: ['x'.repeat(10_000)] })));
    expect(error.message.length).toBeLessThan(200);
  });

  const names = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/), { minLength: 1, maxLength: 8 });
  test('whatever is asked, a plan holds a part of the inventory, not empty, each once, or there is none', () => {
    fc.assert(
      fc.property(names, fc.array(fc.oneof(fc.string(), fc.nat(9)), { maxLength: 9 }), (listed, asked) => {
        const actor = { ...ACTOR, principals: listed };
        const principals = asked.map((each) => (typeof each === 'number' ? (listed[each] ?? 'none') : each));
        try {
          const plan = planCertificate(input({ actor, principals }));
          expect(plan.principals.length).toBeGreaterThan(0);
          expect(new Set(plan.principals).size).toBe(plan.principals.length);
          expect(plan.principals).toEqual(principals.length === 0 ? listed : principals);
          expect(plan.principals.every((each) => listed.includes(each))).toBe(true);
        } catch (error) {
          if (!(error instanceof WardenError)) throw error;
          const sound = principals.every((each) => listed.includes(each));
          const twice = new Set(principals).size !== principals.length;
          if (!twice) expect(error.code).toBe('disallowed_principal');
          if (sound) expect(error.code).toBe('invalid_request');
          expect(sound && !twice).toBe(false);
        }
      }),
    );
  });
});

describe('TTL', () => {
  test.each([
    ['negative', -1],
    ['a fraction', 1.5],
    ['no number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['a second above 100 years', MAX_TTL_SECONDS + 1],
    ['the largest number of the wire', 2n ** 64n - 1n],
  ])('%s is refused at once', async (_name, ttlSeconds) => {
    const error = await failure(() => planCertificate(input({ ttlSeconds })));
    expect(error.code).toBe('invalid_request');
    expect(error.message).toBe('the TTL is not a whole number of seconds within 100 years');
  });

  test('100 years are planned, for the gate to refuse', () => {
    expect(planCertificate(input({ ttlSeconds: MAX_TTL_SECONDS })).ttlSeconds).toBe(MAX_TTL_SECONDS);
  });

  test('the end of validity is now and the TTL, for any clock and TTL', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60_000, max: 4e12 }), fc.integer({ min: 1, max: MAX_TTL_SECONDS }), (now, ttl) => {
        const plan = planCertificate(input({ now, ttlSeconds: ttl }));
        expect(plan.validBefore).toBe(BigInt(Math.floor(now / 1000) + ttl));
        expect(plan.validBefore - plan.validAfter).toBe(BigInt(ttl + BACKDATE_SECONDS));
      }),
    );
  });

  test('hours are exact where hours can be', () => {
    expect(ttlHours(5400)).toBe(1.5);
    expect(ttlHours(24 * 3600)).toBe(24);
    expect(ttlHours(24 * 3600 + 1)).toBeGreaterThan(24);
  });
});

describe('the local ceiling', () => {
  test.each([
    ['at the maximum', 24 * 3600],
    ['a second', 1],
  ])('%s passes', (_name, ttlSeconds) => {
    expect(checkCeiling({ ttlSeconds }, ACTOR, CEILINGS)).toBeUndefined();
  });

  test.each([
    [
      'above the maximum of the actor',
      { ttlSeconds: 999 * 3600 },
      ACTOR,
      '999h is above the maximum of 24h for agt-state-hub-bridge',
      'ask for at most 24h; max_ttl_hours of the actor in inventory.yaml sets it',
    ],
    [
      'a second above the maximum of the actor',
      { ttlSeconds: 4 * 3600 + 1 },
      { ...ACTOR, maxTtlSeconds: 4 * 3600 },
      '4h1s is above the maximum of 4h for agt-state-hub-bridge',
      'ask for at most 4h; max_ttl_hours of the actor in inventory.yaml sets it',
    ],
    [
      "above the type's ceiling, which an actor's own maximum does not lift",
      { ttlSeconds: 30 * 3600 },
      { ...ACTOR, maxTtlSeconds: 40 * 3600 },
      '30h is above the ceiling of 24h for type agt',
      'ask for at most 24h; ttl_ceilings_hours in warden.yaml sets it',
    ],
  ])('%s is refused, with what was asked and what is allowed', async (_name, plan, actor, message, hint) => {
    const error = await failure(() => checkCeiling(plan, actor, CEILINGS));
    expect(error.code).toBe('ttl_out_of_bounds');
    expect(error.message).toBe(message);
    expect(error.hint).toBe(hint);
  });

  test('a limit that is no number refuses', async () => {
    const error = await failure(() =>
      checkCeiling({ ttlSeconds: 1 }, { ...ACTOR, maxTtlSeconds: Number.NaN }, CEILINGS),
    );
    expect(error.code).toBe('ttl_out_of_bounds');
  });

  test('it passes exactly what is within both limits', () => {
    const seconds = fc.integer({ min: 1, max: 200 * 3600 });
    fc.assert(
      fc.property(seconds, seconds, seconds, (ttlSeconds, maxTtlSeconds, agt) => {
        const check = (): void => checkCeiling({ ttlSeconds }, { ...ACTOR, maxTtlSeconds }, { ...CEILINGS, agt });
        if (ttlSeconds <= maxTtlSeconds && ttlSeconds <= agt) expect(check()).toBeUndefined();
        else expect(check).toThrow(WardenError);
      }),
    );
  });
});
