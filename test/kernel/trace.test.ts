import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { traceOf, traceparent } from '../../src/kernel/trace.ts';
import { parseTraceparent } from '../../src/kernel/traceparent.ts';
import { parseTracestate } from '../../src/kernel/tracestate.ts';

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
          const trace = traceOf(headers, []);
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
    expect(traceOf([header], [])).toMatchObject({ traceId: TRACE, parentId: SPAN, sampled: false });
    expect(traceOf([header, header], [])).toMatchObject({ parentId: null, sampled: true });
    expect(traceOf([header, header], []).traceId).not.toBe(TRACE);
    const spans = Array.from({ length: 1000 }, () => traceOf([header], []).spanId);
    expect(new Set(spans).size).toBe(1000);
  });
});

describe('a tracestate header', () => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`).join(',');
  test.each([
    ['one member', ['congo=t61rcWkgMzE'], 'congo=t61rcWkgMzE'],
    ['two headers, in their order', ['a=1, b=2', 'tenant@sys=3'], 'a=1,b=2,tenant@sys=3'],
    ['empty members', ['a=1,,\t ,b=2'], 'a=1,b=2'],
    ['32 members', [many(32)], many(32)],
    ['nothing', [], ''],
    ['a value of spaces and signs', ['a=x y;z:1'], 'a=x y;z:1'],
  ])('%s: goes on as it came', (_what, headers, sent) => {
    expect(parseTracestate(headers)).toBe(sent);
  });

  test.each([
    ['a key in upper case', ['A=1']],
    ['a key twice', ['a=1,a=2']],
    ['33 members', [many(33)]],
    ['no value', ['a=']],
    ['two signs of equality', ['a=b=c']],
    ['a newline', ['a=1\r\nx-evil: 1']],
    ['a newline at the end', ['a=1\n']],
    ['bytes', [Buffer.from('a=1')]],
    ['ten thousand characters', [`a=${'x'.repeat(10_000)}`]],
  ])('with %s: nothing of it is believed', (_what, headers) => {
    expect(parseTracestate(headers)).toBe('');
  });

  test('of more than 512 characters goes on without its long members, and then without its last', () => {
    const [long, short] = [`long=${'x'.repeat(200)}`, Array.from({ length: 12 }, (_, n) => `k${n}=${'v'.repeat(40)}`)];
    const sent = parseTracestate([[...short.slice(0, 6), long, ...short.slice(6)].join(',')]);
    expect(sent.split(',')).toEqual(short.slice(0, 11));
    expect(sent.length).toBeLessThanOrEqual(512);
  });

  test('goes with a valid traceparent alone', () => {
    const header = `00-${TRACE}-${SPAN}-01`;
    expect(traceOf([header], ['a=1'])).toMatchObject({ state: 'a=1', traceId: TRACE });
    expect(traceOf([header], ['A=1'])).toMatchObject({ state: '', traceId: TRACE });
    expect(traceOf([], ['a=1'])).toMatchObject({ state: '', parentId: null });
  });

  test('whatever comes, what goes on is one line that is read as the same', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.string({ unit: 'grapheme' })), { maxLength: 4 }), (headers) => {
        const sent = parseTracestate(headers);
        expect(sent).toMatch(/^[\x20-\x7e]{0,512}$/);
        expect(parseTracestate([sent])).toBe(sent);
      }),
    );
  });
});
