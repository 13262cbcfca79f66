import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDuration, parseTtl } from '../../src/kernel/duration.ts';

const UNITS = { ms: 1n, s: 1_000n, m: 60_000n, h: 3_600_000n, d: 86_400_000n } as const;

describe('a duration', () => {
  test.each([
    ['500ms', 500],
    ['0s', 0],
    ['2.01s', 2_010],
    ['1.1h', 3_960_000],
    ['8.2h', 29_520_000],
    ['0.7m', 42_000],
    ['30d', 2_592_000_000],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    ['0.5ms', 'no whole millisecond'],
    ['1.0001s', 'no whole millisecond'],
    ['999999999999d', 'too large to be exact'],
    ['1h30m', 'two units'],
    ['.5h', 'no digit before the point'],
    ['1.h', 'no digit after the point'],
    ['-1h', 'a sign'],
    ['1e3s', 'an exponent'],
    ['1 h', 'a space'],
    ['١h', 'digits of another script'],
    ['90', 'no unit'],
    ['', 'nothing'],
  ])('"%s" is none: %s', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  test('whatever is a whole number of milliseconds is read, exactly, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.nat(100_000),
        fc.option(fc.stringMatching(/^\d{1,6}$/)),
        fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[])),
        (whole, fraction, unit) => {
          const scale = 10n ** BigInt(fraction?.length ?? 0);
          const scaled = (BigInt(whole) * scale + BigInt(fraction ?? 0)) * UNITS[unit];
          const expected = scaled % scale === 0n ? Number(scaled / scale) : null;
          expect(parseDuration(`${whole}${fraction === null ? '' : `.${fraction}`}${unit}`)).toBe(expected);
        },
      ),
    );
  });
});

describe('a TTL', () => {
  test.each([
    ['90m', 5_400],
    ['8', 28_800],
    ['1.1', 3_960],
    ['1.1h', 3_960],
    ['0.5', 1_800],
    ['1s', 1],
  ])('%s is %d seconds', (text, seconds) => {
    expect(parseTtl(text)).toBe(seconds);
  });

  test.each([['0'], ['0s'], ['999ms'], ['-1'], ['1e3'], ['8H'], [' 8'], ['']])('"%s" is none', (text) => {
    expect(parseTtl(text)).toBeNull();
  });
});
