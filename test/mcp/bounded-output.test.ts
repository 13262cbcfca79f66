import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoundedOutput } from '../../client/mcp/bounded-output.ts';

const chunks = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 40 }), { maxLength: 30 });

describe('the output that an agent is shown', () => {
  it('is all there is, where it fits; else start and end of it, and how much is left out', () => {
    fc.assert(
      fc.property(chunks, fc.integer({ min: 4, max: 200 }), (parts, max) => {
        const output = new BoundedOutput(max);
        for (const part of parts) output.push(Buffer.from(part));
        const whole = parts.join('');
        const head = Math.floor(max / 4);
        const left = whole.length - max;
        const wanted =
          left <= 0
            ? whole
            : `${whole.slice(0, head)}\n[... ${left} bytes left out ...]\n${whole.slice(whole.length - (max - head))}`;
        expect([output.text(), output.bytes, output.truncated]).toEqual([wanted, whole.length, left > 0]);
      }),
    );
  });

  it('does not count on the bytes it was given', () => {
    const output = new BoundedOutput(16);
    const chunk = Buffer.from('the same buffer');
    output.push(chunk);
    chunk.fill(0);
    expect(output.text()).toBe('the same buffer');
  });

  it('shows bytes that are no text as such', () => {
    const output = new BoundedOutput(16);
    output.push(Buffer.from([0x61, 0xff, 0x62]));
    expect(output.text()).toBe('a\ufffdb');
  });
});
