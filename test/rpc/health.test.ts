import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { HealthCheckResponse_ServingStatus as Serving } from '../../src/rpc/generated/grpc/health/v1/health.ts';
import { Health, healthHandlers } from '../../src/rpc/health.ts';

/** A call whose client takes nothing until it is told to. */
class Unread extends Writable {
  readonly request = { service: 'policy' };
  readonly taken: unknown[] = [];
  #take: (() => void) | null = null;
  #reads = false;

  constructor() {
    super({ objectMode: true, highWaterMark: 16 });
  }

  override _write(answer: unknown, _encoding: string, done: () => void): void {
    this.#take = () => {
      this.taken.push(answer);
      done();
    };
    if (this.#reads) this.#take();
  }

  read(): void {
    this.#reads = true;
    this.#take?.();
  }
}

function watched(): { health: Health; call: Unread } {
  const health = new Health();
  health.set('policy', true);
  const call = new Unread();
  const { Watch } = healthHandlers(health) as unknown as { Watch(call: Unread): void };
  Watch(call);
  return { health, call };
}

test('a client that does not read makes nothing pile up, and hears how it is once it reads', async () => {
  const { health, call } = watched();
  for (let turn = 0; turn < 1_000; turn += 1) health.set('policy', turn % 2 === 1);
  health.set('policy', false);
  expect(call.writableLength).toBeLessThanOrEqual(16);
  call.read();
  await new Promise((resolve) => setImmediate(resolve));
  expect(call.taken.at(-1)).toEqual({ status: Serving.NOT_SERVING });
  health.set('policy', true);
  expect(call.taken.at(-1)).toEqual({ status: Serving.SERVING });
});

test('a client that reads again after it was sent away is sent away once', async () => {
  const { health, call } = watched();
  const errors: unknown[] = [];
  call.on('error', (error) => errors.push(error));
  for (let turn = 0; turn < 100; turn += 1) health.set('policy', turn % 2 === 1);
  health.close();
  call.read();
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors).toMatchObject([{ details: 'the daemon is stopping' }]);
});
