import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError, WireReader, WireWriter } from '../../src/ssh/wire.ts';

const reader = (hex: string): WireReader => new WireReader(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('reading refuses', () => {
  const cases: [name: string, hex: string, read: (from: WireReader) => unknown, message: string][] = [
    ['a byte where there is none', '', (r) => r.uint8('it'), 'it is cut short'],
    ['three bytes of a uint32', '000000', (r) => r.uint32('it'), 'it is cut short'],
    ['seven bytes of a uint64', '00000000000000', (r) => r.uint64('it'), 'it is cut short'],
    ['a string without its length', '0000', (r) => r.string('it'), 'it is cut short'],
    [
      'a string shorter than it announces',
      '00000003 0102',
      (r) => r.string('it'),
      'it is cut short: 3 bytes are announced and 2 are there',
    ],
    [
      'a length of four gigabytes in eight bytes',
      'ffffffff 01020304',
      (r) => r.string('it'),
      'it is cut short: 4294967295 bytes are announced and 4 are there',
    ],
    [
      'a string longer than its bound',
      '00000003 010203',
      (r) => r.string('it', 2),
      'it is 3 bytes long, more than the 2 allowed',
    ],
    ['a NUL inside text', '00000003 610062', (r) => r.utf8('it'), 'it holds a NUL byte'],
    ['an overlong UTF-8 sequence', '00000002 c080', (r) => r.utf8('it'), 'it is not UTF-8'],
    ['a UTF-8 surrogate', '00000003 eda080', (r) => r.utf8('it'), 'it is not UTF-8'],
    ['a negative mpint', '00000001 80', (r) => r.mpint('it'), 'it is negative'],
    ['a zero byte as an mpint', '00000001 00', (r) => r.mpint('it'), 'it has a needless leading zero'],
    ['an mpint with a zero too many', '00000002 007f', (r) => r.mpint('it'), 'it has a needless leading zero'],
    ['an mpint with two zeros', '00000003 000080', (r) => r.mpint('it'), 'it has a needless leading zero'],
    ['what follows the end', '00', (r) => r.end('the thing'), '1 bytes follow the thing'],
  ];
  test.each(cases)('%s', (_name, hex, read, message) => {
    const from = reader(hex);
    let thrown: unknown;
    try {
      read(from);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(WireError);
    expect((thrown as WireError).message).toBe(message);
    expect(from.offset).toBe(0);
  });
});

describe('reading gives', () => {
  test('a view of the input, not a copy', () => {
    const bytes = Buffer.from('00000002aabb', 'hex');
    const view = new WireReader(bytes).string('it');
    bytes[4] = 0;
    expect(view).toEqual(Buffer.from('00bb', 'hex'));
  });

  test('the byte order mark that stands in the text', () => {
    expect(reader('00000004 efbbbf61').utf8('it')).toBe('\ufeffa');
  });

  const integers: [name: string, hex: string, magnitude: string][] = [
    ['zero as nothing', '00000000', ''],
    ['one', '00000001 01', '01'],
    ['128 without its sign byte', '00000002 0080', '80'],
    ['the example of RFC 4251', '00000008 09a378f9b2e332a7', '09a378f9b2e332a7'],
  ];
  test.each(integers)('the mpint of %s', (_name, hex, magnitude) => {
    expect(reader(hex).mpint('it').toString('hex')).toBe(magnitude);
  });
});

describe('writing', () => {
  test('refuses numbers over 64 bits and negative ones', () => {
    expect(() => new WireWriter().uint64(1n << 64n)).toThrow(WireError);
    expect(() => new WireWriter().uint64(-1n)).toThrow(WireError);
  });

  test('nests strings in strings', () => {
    const written = new WireWriter(1).nested((outer) => outer.string('a').nested((inner) => inner.uint8(7))).finish();
    expect(written.toString('hex')).toBe('0000000a000000016100000001'.concat('07'));
  });

  test('starts empty again once the bytes were handed over', () => {
    const writer = new WireWriter();
    const first = writer.string('first').finish();
    const second = writer.string('again').finish();
    expect(first.subarray(4).toString()).toBe('first');
    expect(second.subarray(4).toString()).toBe('again');
  });

  test('and reading are each other’s inverse, whatever the first guess of the size', () => {
    const item = fc.oneof(
      fc.record({ kind: fc.constant('uint8' as const), value: fc.nat(255) }),
      fc.record({ kind: fc.constant('uint32' as const), value: fc.nat(0xffffffff) }),
      fc.record({ kind: fc.constant('uint64' as const), value: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }) }),
      fc.record({ kind: fc.constant('string' as const), value: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({
        kind: fc.constant('utf8' as const),
        value: fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
      }),
      fc.record({ kind: fc.constant('mpint' as const), value: fc.uint8Array({ maxLength: 40 }) }),
    );
    fc.assert(
      fc.property(fc.array(item), fc.integer({ min: 0, max: 64 }), (items, capacity) => {
        const writer = new WireWriter(capacity);
        for (const { kind, value } of items) {
          if (kind === 'uint8') writer.uint8(value);
          else if (kind === 'uint32') writer.uint32(value);
          else if (kind === 'uint64') writer.uint64(value);
          else if (kind === 'mpint') writer.mpint(value);
          else writer.string(value);
        }
        const from = new WireReader(writer.finish());
        for (const { kind, value } of items) {
          if (kind === 'uint8') expect(from.uint8('it')).toBe(value);
          else if (kind === 'uint32') expect(from.uint32('it')).toBe(value);
          else if (kind === 'uint64') expect(from.uint64('it')).toBe(value);
          else if (kind === 'utf8') expect(from.utf8('it')).toBe(value);
          else if (kind === 'string') expect(from.string('it')).toEqual(Buffer.from(value));
          else
            expect(from.mpint('it').toString('hex')).toBe(
              Buffer.from(value)
                .toString('hex')
                .replace(/^(00)+/, ''),
            );
        }
        from.end('it');
      }),
    );
  });
});
