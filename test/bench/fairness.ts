import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { houseOf, publicHouse } from '../e2e/support.ts';
import { startDaemon } from '../support/daemon.ts';
import { Caller, checkCertificates } from './load.ts';
import { keyPair, scratch } from './programs.ts';
import type { Benchmark } from './stats.ts';

/** A number that no account of a machine has. */
const FLOODER = 54_321;
const GROUP = 54_321;

/** What one caller that floods costs another, whose limits are its own. */
export const fairness: Benchmark = {
  name: 'fairness_under_flood',
  unit: 'ms',
  baseline: 'the same calls with nobody else',
  aim: 'shown',
  async setUp() {
    if (process.getuid?.() !== 0) throw new Error('fairness_under_flood wants root: it plays a second user');
    const folder = scratch('flood');
    chmodSync(folder, 0o755);
    // Where the other user can read it.
    const program = join(folder, 'flood.mjs');
    copyFileSync('.cache/bench/flood.mjs', program);
    chmodSync(program, 0o644);
    const publicKey = keyPair(join(folder, 'id'));
    const inventory = `version: 1
actors:
  - { name: agt-bench-0, type: agt, principals: [bench-0], ttl_hours: 8, callers: [{ uid: 0 }] }
  - { name: agt-flood, type: agt, principals: [flood], ttl_hours: 8, callers: [{ uid: ${FLOODER} }] }
`;
    const socket = `socket: { mode: "0660", group: ${GROUP} }\n`;
    const house = publicHouse(houseOf('test', socket, inventory));
    const daemon = await startDaemon({ house });
    const caller = new Caller(daemon.socket, publicKey);
    // Below the rate of one caller, so that what is measured is the other's doing.
    const p50 = async (): Promise<number> => {
      const times: number[] = [];
      for (let n = 0; n < 40; n++) {
        const next = performance.now() + 25;
        const { ms, answers } = await caller.p50(1);
        checkCertificates(answers, publicKey);
        times.push(ms);
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
      }
      times.sort((a, b) => a - b);
      return times[20] ?? Number.NaN;
    };
    return {
      async ours() {
        const as = ['--reuid', String(FLOODER), '--regid', String(GROUP), '--clear-groups', process.execPath];
        const child = spawn('setpriv', [...as, program, daemon.socket, 'agt-flood', publicKey], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        const ended = once(child, 'exit');
        await Promise.race([once(child.stdout, 'data'), ended]);
        if (child.exitCode !== null) throw new Error('the flood ended before it began');
        const ms = await p50();
        child.kill('SIGKILL');
        await ended;
        return ms;
      },
      baseline: p50,
      async tearDown() {
        caller.close();
        await daemon.stop();
        house.remove();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};
