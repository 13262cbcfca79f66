import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Ask, decodeAsk, encodeAsk, lengthOfAsk, MAX_FILES, Malformed } from '../../daemon/spawner/protocol.ts';

const word = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\0', ''));
const name = word.map((text) => `N${text.replaceAll('=', '')}`);
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const size = fc.integer({ min: 0, max: 65_535 });
const start: fc.Arbitrary<Ask> = fc.record({
  kind: fc.constant('start' as const),
  program: word.map((text) => `/${text}`),
  copied: fc.boolean(),
  args: fc.array(word),
  env: fc.array(fc.tuple(name, fc.record({ text: word, secret: fc.boolean() }))).map((entries) => new Map(entries)),
  stdin: fc.option(bytes, { nil: null }),
  files: fc.array(fc.tuple(name, bytes)).map((entries) => new Map(entries)),
  descriptors: fc.array(fc.tuple(fc.integer({ min: 3, max: 63 }), bytes)).map((entries) => new Map(entries)),
  terminal: fc.option(fc.record({ columns: size, rows: size }), { nil: null }),
  jobControl: fc.boolean(),
  network: fc.boolean(),
});
const find: fc.Arbitrary<Ask> = fc.record({ kind: fc.constant('find' as const), name: word, searchPath: word });

describe('what wardend asks the spawner', () => {
  test('arrives as it was sent', () => {
    fc.assert(
      fc.property(fc.oneof(start, find), (ask) => {
        const sent = Buffer.concat(encodeAsk(ask));
        expect(lengthOfAsk(sent)).toBe(sent.length);
        expect(decodeAsk(sent)).toEqual(ask);
      }),
    );
  });
  test('holds values apart from everything else', () => {
    const ask = { env: new Map([['T', { text: 'hunter2', secret: true }]]), stdin: Buffer.from('hunter3') };
    fc.assert(
      fc.property(start, (base) => {
        const [, head] = encodeAsk({ ...base, ...ask } as Ask);
        expect(head?.toString()).not.toMatch(/hunter/);
      }),
      { numRuns: 10 },
    );
  });
  test('damaged anywhere is malformed, or another ask, and never anything else', () => {
    fc.assert(
      fc.property(fc.oneof(start, find), fc.nat(), fc.integer({ min: 0, max: 255 }), (ask, at, byte) => {
        const sent = Buffer.concat(encodeAsk(ask));
        sent[at % sent.length] = byte;
        try {
          const length = lengthOfAsk(sent);
          if (length === sent.length) decodeAsk(sent);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 1_000 },
    );
  });
  test('with more files than a command can have is malformed: each would be one that root makes', () => {
    const [base] = fc.sample(start, 1);
    const files = (count: number) => new Map(Array.from({ length: count }, (_, n) => [`F${n}`, Buffer.alloc(0)]));
    const asked = (count: number) => Buffer.concat(encodeAsk({ ...base, files: files(count) } as Ask));
    expect(() => decodeAsk(asked(MAX_FILES))).not.toThrow();
    expect(() => decodeAsk(asked(MAX_FILES + 1))).toThrow(Malformed);
  });
  test('noise is malformed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 400 }), (noise) => {
        const sent = Buffer.from(noise);
        sent.writeUInt32BE(sent.length - 8, 0);
        sent.writeUInt32BE(0, 4);
        expect(() => decodeAsk(sent)).toThrow(Malformed);
      }),
    );
  });
});
