import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { finishPlan } from '../../src/signing/finish-plan.ts';
import { formatKeyId, MAX_KEY_ID } from '../../src/signing/key-id.ts';
import { planCertificate } from '../../src/signing/plan.ts';
import { MAX_SERIAL } from '../../src/signing/serial.ts';
import { ACTOR, failure, keyOf, NOW, REQUEST_ID } from './support/subjects.ts';

const parts = { actor: 'agt-state-hub-bridge', requestId: REQUEST_ID, posture: 'prod' as const };
const head = `agt-state-hub-bridge/${REQUEST_ID}/`;

describe('a key id', () => {
  test.each([
    ['ends with the decision id', 'decision:873c6c682a52bebc', `${head}decision:873c6c682a52bebc`],
    ['ends with - where nothing was asked', null, `${head}-`],
    ['keeps a slash of the decision id, since it is the last part', 'a/b', `${head}a/b`],
    ['has a digest for an id that reads as none', '-', `${head}sha256:3973e022e93220f9212c18d0d0c543ae`],
    ['has a digest for an id with a space', 'a b', `${head}sha256:c8687a08aa5d6ed2044328fa6a697ab8`],
    [
      'has a digest for an id that would forge a log line',
      'a\nsshd: ok',
      expect.stringMatching(/sha256:[0-9a-f]{32}$/),
    ],
    ['has a digest for an id beyond ASCII', 'entscheidung-ü', expect.stringMatching(/sha256:[0-9a-f]{32}$/)],
    ['has a digest for an id that is too long', 'x'.repeat(300), expect.stringMatching(/sha256:[0-9a-f]{32}$/)],
  ])('%s', (_name, decisionId, expected) => {
    expect(formatKeyId({ ...parts, decisionId })).toEqual(expected);
  });

  test('begins with synthetic- in dev, and in dev only', () => {
    expect(formatKeyId({ ...parts, decisionId: null, posture: 'dev' })).toBe(`synthetic-${head}-`);
    expect(formatKeyId({ ...parts, decisionId: null, posture: 'test' })).toBe(`${head}-`);
  });

  test('is printable ASCII without spaces and within 255 bytes, whatever the decision point says', () => {
    const posture = fc.constantFrom('dev' as const, 'prod' as const);
    const id = fc.oneof(fc.string({ maxLength: 400 }), fc.string({ unit: 'binary', maxLength: 400 }));
    fc.assert(
      fc.property(fc.stringMatching(/^agt-[a-z0-9-]{0,150}$/), id, posture, (actor, decisionId, tier) => {
        const keyId = formatKeyId({ actor, requestId: REQUEST_ID, decisionId, posture: tier });
        expect(keyId).toMatch(/^[\x21-\x7e]+$/);
        expect(keyId.length).toBeLessThanOrEqual(MAX_KEY_ID);
        expect(keyId.split('/').slice(0, 2)).toEqual([`${tier === 'dev' ? 'synthetic-' : ''}${actor}`, REQUEST_ID]);
        expect(formatKeyId({ actor, requestId: REQUEST_ID, decisionId, posture: tier })).toBe(keyId);
      }),
    );
  });
});

describe('finishing a plan', async () => {
  const { publicKey } = await keyOf('ed25519');
  const plan = (name = ACTOR.name) =>
    planCertificate({
      actor: { ...ACTOR, name },
      publicKey,
      principals: [],
      ttlSeconds: 0,
      now: NOW,
      requestId: REQUEST_ID,
    });

  test('sets key id and serial and nothing else', () => {
    const { requestId, ...rest } = plan();
    const done = finishPlan(plan(), { decisionId: 'd-1', serial: 5n, posture: 'prod' });
    expect(done).toEqual({ ...rest, keyId: `${head}d-1`, serial: 5n });
    expect(requestId).toBe(REQUEST_ID);
  });

  test('leaves the serial open where the authority chooses', () => {
    expect(finishPlan(plan(), { decisionId: null, serial: null, posture: 'prod' }).serial).toBeNull();
  });

  test('an empty decision id is an answer that breaks the contract', async () => {
    const error = await failure(() => finishPlan(plan(), { decisionId: '', serial: 5n, posture: 'prod' }));
    expect(error.code).toBe('policy_answer_invalid');
    expect(error.message).toBe('the decision point allowed without a decision id');
  });

  test.each([[0n], [-1n], [MAX_SERIAL + 1n]])('serial %s is out of range', async (serial) => {
    const error = await failure(() => finishPlan(plan(), { decisionId: null, serial, posture: 'prod' }));
    expect(error.code).toBe('internal');
  });

  test.each([['agt-a/b'], ['agt-a b'], ['agt-ü'], [`agt-${'x'.repeat(200)}`], ['']])(
    'an actor named %j has no key id',
    async (name) => {
      const error = await failure(() => plan(name));
      expect(error.code).toBe('config_invalid');
      expect(error.message).toBe('the name of the actor does not fit into a key id');
    },
  );
});
