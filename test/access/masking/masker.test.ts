import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMasker, prepareMask } from '../../../src/access/masking/create-masker.ts';
import { bytes, cutsOf, masked, outputOf, reference, values } from './support.ts';

/** Few letters, so that values share beginnings and ends and overlap in the text. No form of theirs is made of them. */
const word = (min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom('k', 'l', 'm'), minLength: min, maxLength: max });

describe('the masker of one stream', () => {
  it('does what a plain search of the whole would do, however the stream is cut', () => {
    const cases = fc
      .array(word(4, 12), { minLength: 1, maxLength: 6 })
      .chain((secrets) =>
        fc
          .array(fc.oneof(fc.constantFrom(...secrets), word(0, 6), fc.constant(' ')), { maxLength: 20 })
          .map((parts) => ({ secrets, text: parts.join('') })),
      )
      .chain((both) => cutsOf(both.text.length).map((cuts) => ({ ...both, cuts })));
    fc.assert(
      fc.property(cases, ({ secrets, text, cuts }) => {
        const wanted = values(...new Set(secrets));
        expect(masked(wanted, text, cuts)).toBe(reference(wanted, bytes(text)));
      }),
      { numRuns: 600 },
    );
  });

  it('lets bytes without a value through as they are', () => {
    const secrets = values('correct-horse', Buffer.from([0xff, 0, 0xfe, 1, 0xfd]), 'x'.repeat(300));
    const cases = fc
      .uint8Array({ maxLength: 400 })
      .chain((data) => cutsOf(data.length).map((cuts) => ({ data, cuts })));
    fc.assert(
      fc.property(cases, ({ data, cuts }) => {
        expect(outputOf(createMasker(secrets), Buffer.from(data), cuts).equals(data)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('lets no form of a value through, nor decides by how hostile output is cut', () => {
    const secrets = [
      'correct-horse-battery',
      'correct-horse/42',
      'horse-battery+"staple"',
      'line one is long\nline two is',
    ];
    const forms = secrets.flatMap((value) => [
      value,
      Buffer.from(value).toString('base64').replaceAll('=', ''),
      Buffer.from(`a${value}`).toString('base64url').slice(1),
      Buffer.from(value).toString('hex'),
      encodeURIComponent(value),
      JSON.stringify(value).slice(1, -1),
    ]);
    const piece = fc.oneof(
      fc.constantFrom(...forms),
      fc.tuple(fc.constantFrom(...forms), fc.nat(30), fc.nat(40)).map(([form, from, to]) => form.slice(from, to)),
      fc.constantFrom('\r\n', '\x1b[0m', ' \r', '\x1b', '%', '\\', '\\u00', '=', ' ', 'c', '\x1b[31', '[masked:'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    const cases = fc
      .array(piece, { maxLength: 25 })
      .map((parts) => Buffer.from(parts.join('')))
      .chain((stream) => cutsOf(stream.length).map((cuts) => ({ stream, cuts })));
    fc.assert(
      fc.property(cases, ({ stream, cuts }) => {
        const shown = outputOf(createMasker(values(...secrets)), stream, cuts).toString('latin1');
        expect(shown).toBe(outputOf(createMasker(values(...secrets)), stream).toString('latin1'));
        for (const form of forms) expect(shown.includes(form)).toBe(false);
      }),
      { numRuns: 600 },
    );
  });

  it('holds nothing back that cannot begin a value, and no more than the longest form of one', () => {
    const secret = 'correct-horse-battery';
    const masker = createMasker(values(secret));
    const push = (text: string): string => Buffer.from(masker.push(bytes(text))).toString();
    expect(push('ready.\n')).toBe('ready.\n');
    expect(push('$ ')).toBe('$ ');
    expect(push('of corr')).toBe('of ');
    expect(push('ection ')).toBe('correction ');
    let held = 0;
    for (const letter of secret.repeat(3).slice(0, -1)) held += 1 - push(letter).length;
    expect(held).toBeLessThanOrEqual(secret.length * 3);
    expect(Buffer.from(masker.end()).toString()).toBe('correct-horse-batter');
  });

  it('shows each letter as it is typed once the stream is quiet, and still masks what becomes a value', () => {
    const masker = createMasker(values('correct-horse-battery'));
    const type = (text: string): string =>
      [masker.push(bytes(text)), masker.settle()].map((out) => Buffer.from(out).toString()).join('');
    expect(['e', 'c', 'h', 'o', ' '].map(type)).toEqual(['e', 'c', 'h', 'o', ' ']);
    expect(['c', 'o', 'r', 'r', 'e'].map(type)).toEqual(['c', 'o', 'r', '', '']);
    expect(type('ct-horse-battery')).toBe('[masked:r0]');
    expect(type('c')).toBe('c');
    expect(type('orr')).toBe('');
    expect(type('al')).toBe('orral');
  });

  it('never lets a whole value out however often it settles', () => {
    const secrets = ['correct-horse', 'horse-correct'];
    const cases = fc
      .array(fc.constantFrom(...secrets, 'cor', 'rect-', 'horse', ' '), { maxLength: 12 })
      .map((parts) => parts.join(''))
      .chain((text) => cutsOf(text.length).map((cuts) => ({ text, cuts })));
    fc.assert(
      fc.property(cases, ({ text, cuts }) => {
        const masker = createMasker(values(...secrets));
        const settling = {
          ...masker,
          push: (chunk: Uint8Array) => Buffer.concat([masker.push(chunk), masker.settle()]),
          settle: () => masker.settle(),
          end: () => masker.end(),
        };
        const shown = outputOf(settling, Buffer.from(text), cuts).toString();
        for (const secret of secrets) expect(shown).not.toContain(secret);
      }),
    );
  });

  it('says which routes have a value that is too short to be masked', () => {
    const mask = prepareMask([
      ...values('abc', 'abcd', ''),
      { route: 'pin', value: values('12\n')[0]?.value as never },
    ]);
    expect(mask.tooShort).toEqual(['r0', 'r2', 'pin']);
    expect(outputOf(mask.masker(), bytes('abc abcd 12')).toString()).toBe('abc [masked:r1] 12');
  });

  it('serves many streams at once, each with a state of its own', () => {
    const mask = prepareMask(values('correct-horse'));
    const [out, err] = [mask.masker(), mask.masker()];
    const texts = [out.push(bytes('correct')), err.push(bytes('-horse')), out.push(bytes('-horse!')), err.end()];
    expect(texts.map((text) => Buffer.from(text).toString())).toEqual(['', '-horse', '[masked:r0]!', '']);
  });

  it('works on where hostile output has filled its table, and beyond', () => {
    const secrets = Array.from({ length: 10 }, (_, index) => `${index}secret-${String(index * 7919).repeat(4)}`);
    const mask = prepareMask(values(...secrets));
    const masker = mask.masker();
    let seed = 1;
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const gaps = ['\r\n', '\x1b[0m', '\x1b[31;4m', ' \r', '', ''];
    let stream = '';
    while (stream.length < 150_000) {
      const value = secrets[random(10)] ?? '';
      for (const letter of value.slice(0, 1 + random(value.length - 1))) {
        const code = letter.charCodeAt(0).toString(16);
        stream += [letter, `%${code}`, `\\u00${code}`][random(3)] + (gaps[random(6)] ?? '');
      }
      stream += random(20) === 0 ? ` ${value} ` : '.';
    }
    const shown = outputOf(
      masker,
      Buffer.from(stream),
      [...Array(stream.length).keys()].filter((at) => at % 1000 === 0),
    );
    for (const secret of secrets) expect(shown.includes(secret)).toBe(false);
    expect(shown.equals(outputOf(mask.masker(), Buffer.from(stream)))).toBe(true);
  });
});
