import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MATURITIES, POSTURES } from '../../src/kernel/posture.ts';
import { DATA_CLASSES, type DataClass } from '../../src/posture/data-class.ts';
import type { Material } from '../../src/posture/descriptor.ts';
import {
  type Clause,
  canDeliver,
  canRelease,
  clauseSentence,
  demandOf,
  floorOf,
  refusalSentence,
  type SecretDemand,
  type Workload,
} from '../../src/posture/lattice.ts';

/** The standard once more, in other words than the code's: a number each. */
const FLOORS: Readonly<Record<DataClass, number>> = {
  synthetic: 0,
  public: 1,
  internal: 1,
  confidential: 2,
  restricted: 3,
};
const MATERIALS: readonly Material[] = ['synthetic', 'test', 'prod'];
const level = (text: string): number => Number(text.slice(1));

const cases = POSTURES.flatMap((posture) =>
  MATURITIES.flatMap((maturity) =>
    MATURITIES.flatMap((requiredMaturity) =>
      DATA_CLASSES.map((dataClass) => ({ secret: { requiredMaturity, dataClass }, workload: { posture, maturity } })),
    ),
  ),
);

describe('canDeliver', () => {
  test('there are 240 cases, and 3 clauses in each, always in the same order', () => {
    expect(cases).toHaveLength(240);
    for (const { secret, workload } of cases) {
      expect(canDeliver(secret, workload).clauses.map(({ id }) => id)).toEqual([
        'posture',
        'required_maturity',
        'data_class_floor',
      ]);
    }
  });

  test.each(POSTURES)(
    'every clause of every combination in %s says what held, what was needed and what was there',
    (posture) => {
      for (const { secret, workload } of cases.filter((one) => one.workload.posture === posture)) {
        const has = level(workload.maturity);
        const floor = FLOORS[secret.dataClass];
        const held = [posture === 'prod', has >= level(secret.requiredMaturity), has >= floor];
        expect(canDeliver(secret, workload)).toEqual({
          permitted: held.every(Boolean),
          clauses: [
            { id: 'posture', held: held[0], needed: 'prod', was: posture },
            { id: 'required_maturity', held: held[1], needed: secret.requiredMaturity, was: workload.maturity },
            { id: 'data_class_floor', held: held[2], needed: `M${floor}`, was: workload.maturity },
          ],
        });
      }
    },
  );

  test.each<[string, SecretDemand, Workload, boolean]>([
    [
      'an npm token for a build of M1',
      { requiredMaturity: 'M1', dataClass: 'internal' },
      { posture: 'prod', maturity: 'M1' },
      true,
    ],
    [
      'the same for a prototype',
      { requiredMaturity: 'M1', dataClass: 'internal' },
      { posture: 'prod', maturity: 'M0' },
      false,
    ],
    ['the same in test', { requiredMaturity: 'M1', dataClass: 'internal' }, { posture: 'test', maturity: 'M3' }, false],
    [
      'a regulated database for M3',
      { requiredMaturity: 'M3', dataClass: 'restricted' },
      { posture: 'prod', maturity: 'M3' },
      true,
    ],
    [
      'the same for M2',
      { requiredMaturity: 'M3', dataClass: 'restricted' },
      { posture: 'prod', maturity: 'M2' },
      false,
    ],
    [
      'a class above what the secret asks for',
      { requiredMaturity: 'M0', dataClass: 'restricted' },
      { posture: 'prod', maturity: 'M2' },
      false,
    ],
  ])('%s', (_name, secret, workload, permitted) => {
    expect(canDeliver(secret, workload).permitted).toBe(permitted);
  });
});

const maturity = fc.constantFrom(...MATURITIES);
const secret = fc.record({ requiredMaturity: maturity, dataClass: fc.constantFrom(...DATA_CLASSES) });
const workload = fc.record({ posture: fc.constantFrom(...POSTURES), maturity });
const material = fc.constantFrom(...MATERIALS);

describe('the order laws', () => {
  test('a workload that rises in maturity loses nothing, in any tier', () => {
    fc.assert(
      fc.property(secret, workload, maturity, material, (wanted, before, higher, kind) => {
        fc.pre(level(higher) >= level(before.maturity));
        const after = { ...before, maturity: higher };
        if (canDeliver(wanted, before).permitted) expect(canDeliver(wanted, after).permitted).toBe(true);
        if (canRelease(wanted, before, kind).permitted) expect(canRelease(wanted, after, kind).permitted).toBe(true);
      }),
    );
  });

  test('a secret that demands more reaches nobody new, by its own demand or by its data class', () => {
    fc.assert(
      fc.property(secret, secret, workload, material, (weaker, stronger, receiver, kind) => {
        fc.pre(level(stronger.requiredMaturity) >= level(weaker.requiredMaturity));
        fc.pre(DATA_CLASSES.indexOf(stronger.dataClass) >= DATA_CLASSES.indexOf(weaker.dataClass));
        if (canDeliver(stronger, receiver).permitted) expect(canDeliver(weaker, receiver).permitted).toBe(true);
        if (canRelease(stronger, receiver, kind).permitted)
          expect(canRelease(weaker, receiver, kind).permitted).toBe(true);
      }),
    );
  });

  test('what demandOf names is the least maturity that passes both clauses in prod', () => {
    for (const { secret: wanted } of cases) {
      const passing = MATURITIES.filter((has) => canDeliver(wanted, { posture: 'prod', maturity: has }).permitted);
      expect(passing[0]).toBe(demandOf(wanted));
    }
  });
});

describe('canRelease', () => {
  test('over all 720 cases: values stay in their tier, and maturity counts in test and prod', () => {
    let count = 0;
    for (const { secret: wanted, workload: receiver } of cases) {
      for (const kind of MATERIALS) {
        const own = { dev: 'synthetic', test: 'test', prod: 'prod' }[receiver.posture] === kind;
        const mature =
          level(receiver.maturity) >= level(wanted.requiredMaturity) &&
          level(receiver.maturity) >= FLOORS[wanted.dataClass];
        const verdict = canRelease(wanted, receiver, kind);
        expect(verdict.permitted).toBe(own && (receiver.posture === 'dev' || mature));
        expect(verdict.clauses.find(({ id }) => id === 'material')).toMatchObject({ held: own, was: kind });
        count += 1;
      }
    }
    expect(count).toBe(720);
  });

  test('in prod it permits nothing that canDeliver refuses', () => {
    for (const { secret: wanted, workload: receiver } of cases.filter((one) => one.workload.posture === 'prod')) {
      const verdict = canRelease(wanted, receiver, 'prod');
      expect(verdict.permitted).toBe(canDeliver(wanted, receiver).permitted);
      expect(verdict.clauses.slice(0, 3)).toEqual(canDeliver(wanted, receiver).clauses);
    }
  });
});

describe('words that it does not know', () => {
  const odd = fc.oneof(
    fc.string(),
    fc.constantFrom('prod ', 'PROD', 'M4', 'M-1', '', '__proto__', 'toString', 'constructor'),
  );
  test('hold for nothing and throw nothing', () => {
    fc.assert(
      fc.property(odd, odd, odd, odd, odd, (posture, has, needs, dataClass, kind) => {
        fc.pre(!(MATURITIES as readonly string[]).includes(has));
        const wanted = { requiredMaturity: needs, dataClass } as unknown as SecretDemand;
        const receiver = { posture, maturity: has } as unknown as Workload;
        expect(canDeliver(wanted, receiver).permitted).toBe(false);
        fc.pre(posture !== 'dev');
        expect(canRelease(wanted, receiver, kind as Material).permitted).toBe(false);
      }),
    );
  });

  test.each<[string, Partial<Record<'posture' | 'maturity' | 'requiredMaturity' | 'dataClass', string>>]>([
    ['an unknown posture', { posture: 'staging' }],
    ['an unknown maturity of the workload', { maturity: 'M9' }],
    ['an unknown demand', { requiredMaturity: 'M9' }],
    ['an unknown data class', { dataClass: 'secret' }],
  ])('%s is refused where all else would do', (_name, wrong) => {
    const all = { posture: 'prod', maturity: 'M3', requiredMaturity: 'M0', dataClass: 'synthetic', ...wrong };
    const verdict = canDeliver(all as unknown as SecretDemand, all as unknown as Workload);
    expect(verdict.permitted).toBe(false);
    expect(refusalSentence(verdict)).toMatch(/^the workload /);
  });

  test('no class, no floor', () => {
    expect(floorOf('toString' as DataClass)).toBeNull();
    expect(DATA_CLASSES.map(floorOf)).toEqual(['M0', 'M1', 'M1', 'M2', 'M3']);
  });
});

describe('sentences', () => {
  test('a refusal names each clause that failed, what there was and what was needed, and no other', () => {
    const verdict = canDeliver(
      { requiredMaturity: 'M2', dataClass: 'restricted' },
      { posture: 'prod', maturity: 'M1' },
    );
    expect(refusalSentence(verdict)).toBe(
      'the workload is M1, below the M2 that the secret requires; the workload is M1, below the M3 that the data class of the secret requires',
    );
  });

  test('a permission has no refusal', () => {
    expect(
      refusalSentence(canDeliver({ requiredMaturity: 'M1', dataClass: 'public' }, { posture: 'prod', maturity: 'M1' })),
    ).toBeNull();
  });

  test('every clause, held or not, says both sides in lower case without a full stop', () => {
    for (const id of ['posture', 'required_maturity', 'data_class_floor', 'material'] as const) {
      for (const held of [true, false]) {
        const clause: Clause = { id, held, needed: 'needed-word', was: 'present-word' };
        expect(clauseSentence(clause)).toMatch(/^[a-z].*[^.]$/);
        expect(clauseSentence(clause)).toContain('present-word');
        if (!held) expect(clauseSentence(clause)).toContain('needed-word');
      }
    }
  });
});
