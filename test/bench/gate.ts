import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Caller, checkCertificates } from './load.ts';
import { inventory, keyPair, loopPauses, startDaemon } from './programs.ts';
import type { Benchmark } from './stats.ts';

const CALLS = 400;

/** A decision point that allows at once: what is measured is our side of the gate. */
async function startDecisionPoint(): Promise<{ url: string; server: Server; asked: () => number }> {
  let asked = 0;
  const server = createServer((request, response) => {
    request.resume();
    request.once('end', () => {
      asked += request.url === '/v1/check' ? 1 : 0;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ id: `decision:${asked}`, effect: 'allow', reason: 'signing_policy_matched' }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, asked: () => asked };
}

function gateBenchmark(
  name: string,
  aim: string,
  cacheTtl: string,
  expectAsked: (asked: number) => boolean,
): Benchmark {
  return {
    name,
    unit: 'ms',
    baseline: 'sign without a gate',
    aim,
    warmUp: 4,
    async setUp() {
      const point = await startDecisionPoint();
      const policy = `policy: { enabled: true, flex_auth_url: "${point.url}", cache_ttl: ${cacheTtl} }\n`;
      const [gated, plain] = [await startDaemon({ policy }), await startDaemon()];
      const publicKey = keyPair(join(plain.dir, 'id'));
      const ours = new Caller(gated.socket, publicKey);
      const baseline = new Caller(plain.socket, publicKey);
      const p50 = async (caller: Caller, effect: string): Promise<number> => {
        const { ms, answers } = await caller.p50(CALLS);
        checkCertificates(answers, publicKey);
        if (answers.some((answer) => answer.evidence?.policyEffect !== effect))
          throw new Error(`not every effect is ${effect}`);
        return ms;
      };
      return {
        async ours() {
          const before = point.asked();
          const ms = await p50(ours, 'allow');
          if (!expectAsked(point.asked() - before))
            throw new Error(`the decision point was asked ${point.asked() - before} times`);
          return ms;
        },
        baseline: () => p50(baseline, 'not_asked'),
        async tearDown() {
          ours.close();
          baseline.close();
          await Promise.all([gated.stop(), plain.stop()]);
          point.server.closeAllConnections();
          point.server.close();
        },
      };
    },
  };
}

// A run may meet the end of one cache entry's life, not of many.
export const gateCached = gateBenchmark('gate_cached_p50', '<= 1.15', '1h', (asked) => asked <= 1);
export const gateUncached = gateBenchmark('gate_uncached_p50', 'shown', '0s', (asked) => asked === CALLS);

/** From the save of a 10,000-actor inventory until the daemon answers from it. */
export const reload10k: Benchmark = {
  name: 'reload_10k_ms',
  unit: 'ms',
  baseline: 'a save of 10 actors until it is live',
  aim: '<= 2000 ms',
  async setUp() {
    const many = await startDaemon({ actors: 10_000, probed: true });
    const few = await startDaemon({ actors: 10 });
    const publicKey = keyPair(join(few.dir, 'id'));
    const ours = new Caller(many.socket, publicKey);
    const baseline = new Caller(few.socket, publicKey);
    const sizes = new Map<string, number>();
    let worst = 0;
    const pauses: { longestMs: number; longestOnCpuMs: number } = { longestMs: 0, longestOnCpuMs: 0 };
    await loopPauses(many);
    const save = async (caller: Caller, config: string, actors: number, watched: boolean): Promise<number> => {
      const before = await caller.generation();
      // One actor more or less each time: the same content in other words would be no change.
      const size = sizes.get(config) === actors + 1 ? actors : actors + 1;
      sizes.set(config, size);
      const text = inventory(size);
      writeFileSync(join(config, 'inventory.yaml'), text, { mode: 0o600 });
      const began = performance.now();
      for (;;) {
        const asked = performance.now();
        const generation = await caller.generation();
        // A status that comes late is an event loop that stood still: the worst is shown beside the ratio.
        if (watched) worst = Math.max(worst, performance.now() - asked);
        if (generation > before) break;
        if (asked - began > 60_000) throw new Error(`${size} actors were not live within a minute`);
      }
      const taken = performance.now() - began;
      if (watched) {
        const { longestMs, longestOnCpuMs } = await loopPauses(many);
        pauses.longestMs = Math.max(pauses.longestMs, longestMs);
        pauses.longestOnCpuMs = Math.max(pauses.longestOnCpuMs, longestOnCpuMs);
      }
      return taken;
    };
    return {
      ours: () => save(ours, many.config, 10_000, true),
      baseline: () => save(baseline, few.config, 10, false),
      notes: () =>
        `(slowest status meanwhile ${worst.toFixed(1)} ms; the event loop's longest pause ${pauses.longestMs.toFixed(1)} ms, its longest stretch on the CPU ${pauses.longestOnCpuMs.toFixed(1)} ms)`,
      async tearDown() {
        ours.close();
        baseline.close();
        await Promise.all([many.stop(), few.stop()]);
      },
    };
  },
};
