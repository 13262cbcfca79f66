import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { debounce } from '../../src/config/debounce.ts';
import { Reloader } from '../../src/config/reload.ts';
import type { Timers } from '../../src/kernel/timers.ts';
import { configFolder, inventoryWith, put, storeOf, WARDEN } from './support.ts';

/** Time that moves when told to. */
class HandTimers implements Timers {
  #now = 0;
  #waiting: { readonly at: number; readonly run: () => void }[] = [];

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run };
    this.#waiting.push(timer);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== timer);
    };
  }

  get pending(): number {
    return this.#waiting.length;
  }

  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#waiting.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#now = next.at;
      next.run();
    }
    this.#now = end;
  }
}

const problem = { file: 'warden.yaml', line: 0, column: 0, message: 'no answer', hint: 'answer' };

describe('a reload whose pre-flight fails', () => {
  function setUp() {
    const dir = configFolder();
    const timers = new HandTimers();
    const state = { up: false };
    const events: string[] = [];
    const heard: (() => void)[] = [];
    const store = storeOf(dir, { validators: [async () => (state.up ? [] : [problem])] });
    const reloader = new Reloader({
      store,
      timers,
      onReload: ({ trigger, outcome }) => {
        events.push(`${trigger} ${outcome.kind === 'refused' ? outcome.reason : outcome.kind}`);
        heard.shift()?.();
      },
    });
    const nextEvent = (): Promise<void> => new Promise((resolve) => heard.push(resolve));
    return { dir, timers, state, events, store, reloader, nextEvent };
  }

  test('is tried again every 10 s until it passes', async () => {
    const { dir, timers, state, events, store, reloader, nextEvent } = setUp();
    await reloader.reload('start');
    put(join(dir, 'warden.yaml'), `${WARDEN}policy: { enabled: true }\n`);
    await reloader.reload('signal');
    timers.pass(9_999);
    expect(events).toEqual(['start swapped', 'signal preflight_failed']);
    let again = nextEvent();
    timers.pass(1);
    await again;
    state.up = true;
    again = nextEvent();
    timers.pass(10_000);
    await again;
    expect(events.slice(2)).toEqual(['retry preflight_failed', 'retry swapped']);
    expect(store.current.settings.policy.enabled).toBe(true);
    expect(timers.pending).toBe(0);
  });

  test('is dropped when the file changes', async () => {
    const { dir, timers, events, reloader } = setUp();
    await reloader.reload('start');
    put(join(dir, 'warden.yaml'), `${WARDEN}policy: { enabled: true }\n`);
    await reloader.reload('watch');
    expect(timers.pending).toBe(1);
    put(join(dir, 'warden.yaml'), WARDEN);
    await reloader.reload('watch');
    expect(timers.pending).toBe(0);
    expect(events).toEqual(['start swapped', 'watch preflight_failed', 'watch unchanged']);
  });

  test('is dropped when the daemon stops', async () => {
    const { dir, timers, reloader } = setUp();
    await reloader.reload('start');
    put(join(dir, 'warden.yaml'), `${WARDEN}policy: { enabled: true }\n`);
    await reloader.reload('rpc');
    reloader.close();
    expect(timers.pending).toBe(0);
  });
});

test('a bad file is not tried again until something changes', async () => {
  const dir = configFolder({ 'warden.yaml': WARDEN, 'inventory.yaml': 'actors: nonsense\n' });
  const timers = new HandTimers();
  const reloader = new Reloader({ store: storeOf(dir), timers });
  expect((await reloader.reload('start')).kind).toBe('refused');
  expect(timers.pending).toBe(0);
  put(join(dir, 'inventory.yaml'), inventoryWith('agt-a'));
  expect((await reloader.reload('rpc')).kind).toBe('swapped');
});

describe('a burst of events', () => {
  test('is one call, once it is over', () => {
    const timers = new HandTimers();
    let calls = 0;
    const burst = debounce(75, 500, timers, () => {
      calls += 1;
    });
    for (let event = 0; event < 5; event += 1) {
      burst.poke();
      timers.pass(50);
    }
    expect(calls).toBe(0);
    timers.pass(25);
    expect(calls).toBe(1);
    timers.pass(10_000);
    expect(calls).toBe(1);
  });

  test('that never pauses is heard every half second', () => {
    const timers = new HandTimers();
    let calls = 0;
    const burst = debounce(75, 500, timers, () => {
      calls += 1;
    });
    for (let event = 0; event < 200; event += 1) {
      burst.poke();
      timers.pass(10);
    }
    expect(calls).toBe(4);
    burst.cancel();
    expect(timers.pending).toBe(0);
  });
});
