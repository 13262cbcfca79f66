import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prepareMask } from '../../../src/access/masking/create-masker.ts';
import { cutsOf, outputOf, values } from './support.ts';

/** The ways to write each element of a form, as plain strings. */
type Form = { readonly elements: readonly (readonly string[])[]; readonly optional: readonly (readonly string[])[] };

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const eachCase = (digits: string): string[] => [
  ...new Set([...digits].reduce((found, one) => found.flatMap((text) => [text + one, text + one.toUpperCase()]), [''])),
];
const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0');
const encoded = (letter: string): string[] =>
  ({ '+': ['+', '-', '%2B', '%2b'], '/': ['/', '_', '%2F', '%2f'], '=': ['=', '%3D', '%3d'] })[letter] ?? [letter];

/** Bits as text, neighbours as question marks: another way to base64 than the masker's. */
function base64Form(value: string, before: number): Form {
  const bits = [...Buffer.from(value)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const padded = '?'.repeat((before * 8) % 6) + bits;
  const groups = padded.padEnd(Math.ceil(padded.length / 6) * 6, '?').match(/.{6}/g) ?? [];
  const elements = groups.map((group) =>
    [...ALPHABET]
      .filter((_, index) => new RegExp(`^${group.replaceAll('?', '.')}$`).test(index.toString(2).padStart(6, '0')))
      .flatMap(encoded),
  );
  const padding = (3 - ((before + value.length) % 3)) % 3;
  return { elements, optional: Array.from({ length: padding }, () => encoded('=')) };
}

function formsOf(value: string): Form[] {
  const bytes = [...Buffer.from(value)];
  return [
    {
      elements: bytes.map((byte) => [String.fromCharCode(byte), ...eachCase(hexOf(byte)).map((code) => `%${code}`)]),
      optional: [],
    },
    { elements: bytes.map((byte) => eachCase(hexOf(byte))), optional: [] },
    ...[0, 1, 2].map((before) => base64Form(value, before)),
  ];
}

/** Where the longest match that starts here ends; `start` itself where there is none. */
function endOf({ elements, optional }: Form, text: string, start: number): number {
  const step = (from: ReadonlySet<number>, ways: readonly string[]): Set<number> =>
    new Set([...from].flatMap((at) => ways.filter((way) => text.startsWith(way, at)).map((way) => at + way.length)));
  let places: Set<number> = new Set([start]);
  for (const ways of elements) {
    places = step(places, ways);
    if (places.size === 0) return start;
  }
  let end = Math.max(...places);
  for (const ways of optional) {
    places = step(places, ways);
    end = Math.max(end, ...places);
  }
  return end;
}

/** All that any form of any value covers, tried at each place of the whole text: slow and plain. */
function oracle(forms: readonly Form[], text: string): string {
  let out = '';
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    const longest = Math.max(...forms.map((form) => endOf(form, text, at)));
    if (longest > at && longest > end) {
      if (at >= end) out += '[masked:r]';
      end = longest;
    }
    if (at >= end) out += text[at];
  }
  return out;
}

const spelled = (value: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constantFrom(
      value,
      Buffer.from(value).toString('hex'),
      Buffer.from(value).toString('hex').toUpperCase(),
      Buffer.from(value).toString('base64'),
      Buffer.from(`k${value}l`).toString('base64url'),
      encodeURIComponent(Buffer.from(`kk${value}l`).toString('base64')),
    ),
    fc
      .array(fc.boolean(), { minLength: value.length, maxLength: value.length })
      .map((escaped) => [...value].map((one, at) => (escaped[at] ? `%${hexOf(one.charCodeAt(0))}` : one)).join('')),
  );

const word = fc.string({ unit: fc.constantFrom('k', 'l', '6', '~', '?'), minLength: 4, maxLength: 14 });

describe('the masker beside a plain search for each form at each place', () => {
  const cases = (most: number): fc.Arbitrary<{ secrets: string[]; text: string; cuts: readonly number[] }> =>
    fc
      .uniqueArray(word, { minLength: 1, maxLength: most })
      .chain((secrets) => {
        const form = fc.constantFrom(...secrets).chain(spelled);
        const part = fc.tuple(form, fc.nat(12), fc.nat(40)).map(([text, from, to]) => text.slice(from, from + to));
        const pieces = fc.oneof(form, part, word, fc.constantFrom('', '.', '=', '%', '%6', 'a2', 'b'));
        return fc.array(pieces, { maxLength: 14 }).map((parts) => ({ secrets, text: parts.join('') }));
      })
      .chain((both) => cutsOf(both.text.length).map((cuts) => ({ ...both, cuts })));

  it.each([
    ['a few values', 4, 300],
    ['many values', 40, 60],
  ])('shows the same of %s, however the stream is cut', (_, most, numRuns) => {
    fc.assert(
      fc.property(cases(most), ({ secrets, text, cuts }) => {
        const mask = prepareMask(values(...secrets).map((value) => ({ ...value, route: 'r' })));
        const wanted = oracle(secrets.flatMap(formsOf), text);
        expect(outputOf(mask.masker(), Buffer.from(text), cuts).toString('latin1')).toBe(wanted);
      }),
      { numRuns },
    );
  });
});
