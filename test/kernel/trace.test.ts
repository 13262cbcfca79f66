import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { traceOf, traceparent } from '../../src/kernel/trace.ts';
import { parseTraceparent } from '../../src/kernel/traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('a traceparent header', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`01-${TRACE}-${SPAN}-01`, true],
    [`01-${TRACE}-${SPAN}-01-what-comes-later`, true],
  ])('%s is one, sampled: %s', (text, sampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, parentId: SPAN, sampled });
  });

  test.each([
    ['nothing', ''],
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['version 00 with more behind it', `00-${TRACE}-${SPAN}-01-x`],
    ['a later version with more behind it, without a dash', `01-${TRACE}-${SPAN}-01x`],
    ['a trace of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a parent of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['no flags', `00-${TRACE}-${SPAN}`],
    ['a newline', `00-${TRACE}-${SPAN}-01\n`],
    ['a header in it', `00-${TRACE}-${SPAN}-01\r\nx-evil: 1`],
    ['too long', `01-${TRACE}-${SPAN}-01-${'x'.repeat(300)}`],
  ])('%s is none', (_what, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });

  test('whatever comes, what goes on is a valid one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constant(`00-${TRACE}-${SPAN}-00`)), { maxLength: 3 }),
        (headers) => {
          const trace = traceOf(headers);
          expect(parseTraceparent(traceparent(trace))).toEqual({
            traceId: trace.traceId,
            parentId: trace.spanId,
            sampled: trace.sampled,
          });
        },
      ),
    );
  });

  test('a valid one is gone on with, two begin anew, and each request has a span of its own', () => {
    const header = `00-${TRACE}-${SPAN}-00`;
    expect(traceOf([header])).toMatchObject({ traceId: TRACE, parentId: SPAN, sampled: false });
    expect(traceOf([header, header])).toMatchObject({ parentId: null, sampled: true });
    expect(traceOf([header, header]).traceId).not.toBe(TRACE);
    const spans = Array.from({ length: 1000 }, () => traceOf([header]).spanId);
    expect(new Set(spans).size).toBe(1000);
  });
});
