import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/kernel/secret.ts';
import { Accessors } from '../../src/openbao/accessors.ts';

function scene() {
  let now = 0;
  const asked: string[] = [];
  const accessors = new Accessors({ monotonic: () => now });
  const of = (token: string, answer = `accessor-${asked.length + 1}`): Promise<string> =>
    accessors.of(Secret.fromString(token), async () => {
      asked.push(token);
      return answer;
    });
  return {
    of,
    asked,
    accessors,
    later: (ms: number) => {
      now += ms;
    },
  };
}

describe('accessors of callers’ tokens', () => {
  it('are asked for once, and then known for a minute', async () => {
    const { of, asked, later } = scene();
    expect(await of('token-a')).toBe('accessor-1');
    later(59_999);
    expect(await of('token-a')).toBe('accessor-1');
    expect(asked).toEqual(['token-a']);
    later(1);
    expect(await of('token-a')).toBe('accessor-2');
  });

  it('are each token’s own', async () => {
    const { of } = scene();
    expect(await of('token-a')).toBe('accessor-1');
    expect(await of('token-b')).toBe('accessor-2');
    expect(await of('token-a')).toBe('accessor-1');
  });

  it('that could not be had are asked for again', async () => {
    const { accessors, of } = scene();
    const failing = accessors.of(Secret.fromString('token-a'), () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(await of('token-a')).toBe('accessor-1');
  });

  it('are at most 1,024, of which the oldest goes first', async () => {
    const { of, asked } = scene();
    for (let n = 0; n < 1025; n++) await of(`token-${n}`);
    await of('token-1');
    expect(asked).toHaveLength(1025);
    await of('token-0');
    expect(asked).toHaveLength(1026);
  });
});
