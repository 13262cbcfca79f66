import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader, FramingError, frame } from '../../src/rpc/client/framing.ts';
import { decodeGrpcMessage } from '../../src/rpc/client/trailers.ts';

describe('framing', () => {
  test('messages come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 17 }), { minLength: 1, maxLength: 20 }),
        (messages, cuts) => {
          const bytes = Buffer.concat(messages.map(frame));
          const reader = new FrameReader(40);
          const out: Buffer[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = cuts[i % cuts.length] as number;
            out.push(...reader.push(bytes.subarray(at, at + size)));
            at += size;
          }
          expect(out.map((m) => [...m])).toEqual(messages.map((m) => [...m]));
          expect(reader.incomplete).toBe(false);
        },
      ),
    );
  });

  test('any bytes at all give messages within the bound or a FramingError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const message of new FrameReader(64).push(Buffer.from(bytes))) {
            expect(message.length).toBeLessThanOrEqual(64);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(FramingError);
        }
      }),
    );
  });
});

describe('grpc-message', () => {
  test('any text that was percent-encoded comes back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeGrpcMessage(encodeURIComponent(text))).toBe(text);
      }),
    );
  });

  test.each([
    ['%', '%'],
    ['100%', '100%'],
    ['%2', '%2'],
    ['%g1', '%g1'],
    ['%41%4', 'A%4'],
  ])('%s that does not decode stays %s', (text, expected) => expect(decodeGrpcMessage(text)).toBe(expected));
});
