import { describe, expect, test } from 'vitest';
import { Probes } from '../../daemon/probes.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { Health } from '../../src/rpc/health.ts';

type World = ReturnType<ConstructorParameters<typeof Probes>[0]>;

/** A world whose authority answers each look when the test says so. */
function stage() {
  const looks: { answer: () => void; fail: () => void }[] = [];
  const world = {
    gate: null,
    openbao: null,
    snapshot: { settings: { backend: 'local', posture: 'test' }, routes: new Map() },
    lanes: { store: null },
    authority: {
      backend: 'local',
      keys: () => [],
      ready: () =>
        new Promise<void>((resolve, reject) => {
          looks.push({ answer: resolve, fail: () => reject(new WardenError('ca_unavailable', 'it is not there')) });
        }),
    },
  } as unknown as World;
  const health = new Health();
  let changes = 0;
  const probes = new Probes(
    () => world,
    health,
    () => {
      changes += 1;
    },
  );
  return { probes, health, looks, changes: () => changes };
}

describe('probes that overlap', () => {
  test('a look that began before does not overrule one that has answered since', async () => {
    const { probes, health, looks, changes } = stage();
    const first = probes.run();
    const second = probes.run();
    looks[1]?.answer();
    await second;
    looks[0]?.fail();
    await first;
    expect(probes.states[0]).toMatchObject({ name: 'ca', state: 'serving' });
    expect(health.get('ca').status).toBe(1);
    expect(changes()).toBe(1);
  });

  test('in the order in which they began, each counts', async () => {
    const { probes, looks, changes } = stage();
    const [first, second] = [probes.run(), probes.run()];
    looks[0]?.fail();
    await first;
    expect(probes.states[0]).toMatchObject({ state: 'not_serving', detail: 'it is not there' });
    looks[1]?.answer();
    await second;
    expect(probes.states[0]).toMatchObject({ state: 'serving' });
    expect(changes()).toBe(2);
  });
});
