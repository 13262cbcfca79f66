import { expect, test } from 'vitest';
import { ToolSlots } from '../../src/access/tool-slots.ts';

/** Tools that run until they are let go. */
function stand() {
  const slots = new ToolSlots();
  const going: Promise<void>[] = [];
  let go: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  return {
    slots,
    start: (uid: number, count: number): void => {
      for (let n = 0; n < count; n += 1) going.push(slots.run(uid, () => gate));
    },
    end: async (): Promise<void> => {
      go();
      await Promise.all(going);
    },
  };
}
const one = async (): Promise<string> => 'ran';

test('one user takes half of the places at most, and is told that they are its own', async () => {
  const { slots, start, end } = stand();
  start(1000, 8);
  await expect(slots.run(1000, one)).rejects.toMatchObject({
    code: 'tool_failed',
    message: '8 tools of yours run already',
  });
  await expect(slots.run(1001, one)).resolves.toBe('ran');
  await end();
  await expect(slots.run(1000, one)).resolves.toBe('ran');
});

test('all users together have sixteen', async () => {
  const { slots, start, end } = stand();
  start(1000, 8);
  start(1001, 8);
  await expect(slots.run(1002, one)).rejects.toMatchObject({ code: 'tool_failed', message: '16 tools run already' });
  await end();
  await expect(slots.run(1002, one)).resolves.toBe('ran');
});

test('a tool that fails gives its place back', async () => {
  const { slots } = stand();
  const failing = (): Promise<never> => Promise.reject(new Error('ended badly'));
  for (let n = 0; n < 20; n += 1) await expect(slots.run(1000, failing)).rejects.toThrow('ended badly');
  await expect(slots.run(1000, one)).resolves.toBe('ran');
});
