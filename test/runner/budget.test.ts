import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Budget } from '../../daemon/spawner/budget.ts';
import { encodeAsk } from '../../daemon/spawner/protocol.ts';
import { readAsk } from '../../daemon/spawner/read-ask.ts';

const ASK = Buffer.concat(encodeAsk({ kind: 'find', name: 'sh', searchPath: '/bin' }));
const arriving = (...pieces: Buffer[]): Socket => {
  const stream = new PassThrough();
  // Copies: what was read is overwritten.
  for (const piece of pieces) stream.write(Buffer.from(piece));
  return stream as unknown as Socket;
};
const patient = new AbortController().signal;

test('an ask is read whole, in whatever pieces, and what follows it stays', async () => {
  for (let cut = 0; cut <= ASK.length; cut++) {
    const socket = arriving(ASK.subarray(0, cut), Buffer.concat([ASK.subarray(cut), Buffer.from('next')]));
    const { ask } = await readAsk(socket, patient, new Budget(1_000));
    expect(ask).toEqual({ kind: 'find', name: 'sh', searchPath: '/bin' });
    expect(String(socket.read())).toBe('next');
  }
});

test('room is taken as soon as the length is known, and given back once, however it ends', async () => {
  const budget = new Budget(ASK.length);
  const first = await readAsk(arriving(ASK), patient, budget);
  await expect(readAsk(arriving(ASK.subarray(0, 8)), patient, budget)).rejects.toThrow('too much at once');
  first.dispose();
  first.dispose();
  const cut = arriving(ASK.subarray(0, 9));
  cut.end();
  cut.resume();
  await expect(readAsk(cut, patient, budget)).rejects.toThrow('cut short');
  const broken = Buffer.from(ASK);
  broken.fill(0x7b, 8);
  await expect(readAsk(arriving(broken), patient, budget)).rejects.toThrow('not JSON');
  expect(budget.take(ASK.length)).toBe(true);
  expect(budget.take(1)).toBe(false);
});
