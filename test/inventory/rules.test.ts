import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultExtensions, EXTENSIONS } from '../../src/inventory/extensions.ts';
import {
  ACTOR_NAME,
  ACTOR_NAME_MAX,
  HOST_PRINCIPAL,
  PRINCIPAL,
  TENANT,
  typeOfName,
} from '../../src/inventory/names.ts';
import { effectiveTtls, hoursToSeconds, secondsToHours } from '../../src/inventory/ttl-rules.ts';

describe('names', () => {
  test.each([
    ['agt-a', true],
    ['adm-john.doe_2', true],
    ['atm-backup-daily', true],
    [`agt-${'a'.repeat(60)}`, true],
    [`agt-${'a'.repeat(61)}`, false],
    ['agt-', false],
    ['agt--a', false],
    ['agt-a-', false],
    ['agt-A', false],
    ['agt-a/b', false],
    ['agt-a b', false],
    ['agt-a\n', false],
    ['bot-a', false],
    ['agta', false],
  ])('%j is an actor name: %s', (name, expected) => {
    expect(ACTOR_NAME.test(name)).toBe(expected);
    if (expected) expect(name.length).toBeLessThanOrEqual(ACTOR_NAME_MAX);
  });

  test('a type is the prefix with its dash', () => {
    expect([typeOfName('agt-x'), typeOfName('agtx'), typeOfName('root')]).toEqual(['agt', null, null]);
  });

  test('a principal never holds what ends or splits it: commas, spaces, control characters, other alphabets', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (text) => {
        const plain = text !== '' && [...text].every((letter) => letter > ' ' && letter < '\x7f' && letter !== ',');
        expect(PRINCIPAL.test(text)).toBe(plain);
      }),
    );
    expect(PRINCIPAL.test('a'.repeat(256))).toBe(false);
    expect(['*', 'a*', '!h', 'h?', 'h,i'].filter((name) => HOST_PRINCIPAL.test(name))).toEqual([]);
    expect(['h.net', '10.0.0.5', 'fd00::1'].filter((name) => !HOST_PRINCIPAL.test(name))).toEqual([]);
    expect([TENANT.test('tenant:platform'), TENANT.test('platform'), TENANT.test('tenant:')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('TTLs', () => {
  test.each([
    ['nothing written', {}, 86_400, { ttlSeconds: 28_800, maxTtlSeconds: 86_400 }],
    ['a low ceiling', {}, 3_600, { ttlSeconds: 3_600, maxTtlSeconds: 3_600 }],
    ['a maximum below the default', { maxTtlSeconds: 60 }, 86_400, { ttlSeconds: 60, maxTtlSeconds: 60 }],
    ['both written', { ttlSeconds: 5, maxTtlSeconds: 60 }, 86_400, { ttlSeconds: 5, maxTtlSeconds: 60 }],
  ])('%s', (_name, written, ceiling, expected) => {
    expect(effectiveTtls({ ttlSeconds: undefined, maxTtlSeconds: undefined, ...written }, ceiling)).toEqual(expected);
  });

  test('hours are whole seconds inside', () => {
    expect([hoursToSeconds(0.5), hoursToSeconds(1 / 3), hoursToSeconds(48)]).toEqual([1_800, 1_200, 172_800]);
    expect([secondsToHours(5_400), secondsToHours(86_400)]).toEqual([1.5, 24]);
  });
});

test('default extensions are known ones, and programs get none', () => {
  expect(defaultExtensions('adm').every((name) => (EXTENSIONS as readonly string[]).includes(name))).toBe(true);
  expect([defaultExtensions('agt'), defaultExtensions('atm')]).toEqual([[], []]);
});
