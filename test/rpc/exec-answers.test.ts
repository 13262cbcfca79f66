import fc from 'fast-check';
import { expect, test } from 'vitest';
import { execAnswers } from '../../src/rpc/exec-answers.ts';
import { ExecResponse } from '../../src/rpc/generated/warden/v1/warden.ts';

const output = fc.record({
  $case: fc.constantFrom('stdout' as const, 'stderr' as const),
  value: fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 262_144, 2_097_152).map((length) => Buffer.alloc(length, 7)),
  ),
});
test('output is written and read as the generated codec does', () => {
  fc.assert(
    fc.property(output, (message) => {
      const plain = Buffer.from(ExecResponse.encode({ message }).finish());
      expect(plain.equals(execAnswers.encode({ message }).finish())).toBe(true);
      const read = execAnswers.decode(plain).message;
      if (read?.$case !== message.$case) throw new Error(`read as ${read?.$case}`);
      expect(message.value.equals(read.value)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('whatever bytes come, they are read or refused as the generated codec does', () => {
  const read = (codec: Pick<typeof execAnswers, 'decode'>, bytes: Uint8Array): unknown => {
    try {
      return codec.decode(bytes);
    } catch (error) {
      return String(error);
    }
  };
  const begun = fc
    .tuple(fc.constantFrom(0x12, 0x1a, 0x0a, 0x28), fc.uint8Array({ maxLength: 12 }))
    .map(([tag, rest]) => Uint8Array.from([tag, ...rest]));
  const counted = fc
    .tuple(fc.constantFrom(0x12, 0x1a), fc.uint8Array({ maxLength: 6 }), fc.uint8Array({ maxLength: 6 }))
    .map(([tag, content, rest]) => Uint8Array.from([tag, content.length, ...content, ...rest]));
  fc.assert(
    fc.property(fc.oneof(begun, counted, fc.uint8Array({ maxLength: 12 })), (bytes) => {
      expect(read(execAnswers, bytes)).toEqual(read(ExecResponse, bytes));
    }),
    { numRuns: 3_000 },
  );
});
