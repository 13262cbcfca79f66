import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { maskingBetweenTurns } from '../../../src/access/mask-between-turns.ts';
import { maskedRecording } from '../../../src/access/masked-recording.ts';
import type { Masker } from '../../../src/access/masker.ts';
import { createMasker } from '../../../src/access/masking/create-masker.ts';
import { bytes, outputOf, values } from './support.ts';

/** Takes so much virtual time for each byte, and notes what it is given. */
function slowMasker(msPerByte: number) {
  let now = 0;
  const pieces: number[] = [];
  const masker: Masker = {
    push: (chunk) => {
      pieces.push(chunk.length);
      now += chunk.length * msPerByte;
      return Uint8Array.from(chunk);
    },
    settle: () => new Uint8Array(0),
    end: () => new Uint8Array(0),
  };
  return { masker, pieces, monotonic: () => now };
}

describe('masking between turns of the event loop', () => {
  it.each([
    ['as fast as ever', 0.00001, 4096],
    ['50 µs a byte', 0.05, 64],
    ['1 ms a byte', 1, 4],
    ['20 ms a byte', 20, 1],
  ])('%s: all of it goes through, in pieces of about a turn at most', async (_, msPerByte, most) => {
    const { masker, pieces, monotonic } = slowMasker(msPerByte);
    const mask = maskingBetweenTurns(masker, monotonic);
    const chunks = [bytes('x'.repeat(20_000)), bytes('y'.repeat(7)), bytes('z'.repeat(20_000))];
    for (const chunk of chunks) expect(Buffer.from(await mask(chunk)).equals(chunk)).toBe(true);
    expect(Math.max(...pieces.slice(5))).toBe(most);
  });

  /** How often the event loop went round until then. */
  async function turnsUntil(done: Promise<unknown>): Promise<number> {
    let turns = 0;
    let over = false;
    void done.then(() => {
      over = true;
    });
    while (!over) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
    return turns;
  }

  it('others run in between', async () => {
    const { masker, pieces, monotonic } = slowMasker(1);
    const turns = await turnsUntil(maskingBetweenTurns(masker, monotonic)(bytes('x'.repeat(2000))));
    expect(turns).toBeGreaterThan(pieces.length / 3);
  });

  it('others run in between also where only a recording is masked', async () => {
    const { masker, pieces, monotonic } = slowMasker(1);
    const recorded: Uint8Array[] = [];
    const recording = maskedRecording(
      { shown: async (piece) => void recorded.push(piece), resized: async () => {}, end: async () => {} },
      masker,
      monotonic,
    );
    const turns = await turnsUntil(recording.shown(bytes('x'.repeat(2000))));
    expect(turns).toBeGreaterThan(pieces.length / 3);
    expect(pieces.length).toBeGreaterThan(100);
    expect(Buffer.concat(recorded).toString()).toBe('x'.repeat(2000));
  });
});

it('a value that repeats itself throughout takes no more memory than any other', () => {
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const masker = createMasker(values('a'.repeat(3000)));
  collect();
  const before = process.memoryUsage().heapUsed;
  expect(
    outputOf({ ...masker, push: (chunk) => masker.push(chunk), end: () => new Uint8Array(0) }, bytes('a'.repeat(2999))),
  ).toHaveLength(0);
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(48 * 2 ** 20);
  expect(Buffer.from(masker.push(bytes('a'))).toString()).toBe('[masked:r0]');
});
