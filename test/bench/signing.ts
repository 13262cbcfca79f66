import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Caller, checkCertificates } from './load.ts';
import { keyPair, scratch, startDaemon, startEcho } from './programs.ts';
import type { Benchmark, Measured } from './stats.ts';

const CALLS = 3_000;
const WIDTH = 64;

export const throughputOverEcho: Benchmark = {
  name: 'sign_throughput_over_echo',
  unit: 'per second',
  baseline: 'bare grpc-js echo',
  aim: '>= 0.6',
  warmUp: 4,
  setUp: () =>
    againstEcho(async (caller, check) => {
      const { perSecond, answers } = await caller.throughput(CALLS, WIDTH);
      check(answers);
      return perSecond;
    }),
};

export const latencyOverEcho: Benchmark = {
  name: 'sign_p50_over_echo',
  unit: 'ms',
  baseline: 'bare grpc-js echo',
  aim: 'shown',
  warmUp: 5,
  setUp: () =>
    againstEcho(async (caller, check) => {
      const { ms, answers } = await caller.p50(400);
      check(answers);
      return ms;
    }),
};

type Check = (answers: Awaited<ReturnType<Caller['p50']>>['answers']) => void;

async function againstEcho(run: (caller: Caller, check: Check) => Promise<number>): Promise<Measured> {
  const [daemon, echo] = await Promise.all([startDaemon(), startEcho()]);
  const publicKey = keyPair(join(daemon.dir, 'id'));
  const ours = new Caller(daemon.socket, publicKey);
  const baseline = new Caller(echo.socket, publicKey);
  return {
    ours: () => run(ours, (answers) => checkCertificates(answers, publicKey)),
    baseline: () =>
      run(baseline, (answers) => {
        if (answers.some((answer) => answer.certificate.length !== 640)) throw new Error('a wrong echo');
      }),
    async tearDown() {
      ours.close();
      baseline.close();
      await Promise.all([daemon.stop(), echo.stop()]);
    },
  };
}

export const certsOverSshKeygen: Benchmark = {
  name: 'certs_over_ssh_keygen',
  unit: 'per second',
  baseline: 'ssh-keygen -s, one after another',
  aim: '>= 30',
  warmUp: 4,
  async setUp() {
    const daemon = await startDaemon();
    const dir = scratch('keygen');
    const publicKey = keyPair(join(dir, 'id'));
    keyPair(join(dir, 'ca'));
    const caller = new Caller(daemon.socket, publicKey);
    return {
      async ours() {
        const { perSecond, answers } = await caller.throughput(CALLS, WIDTH);
        checkCertificates(answers, publicKey);
        return perSecond;
      },
      async baseline() {
        const count = 40;
        const began = performance.now();
        for (let i = 0; i < count; i++) {
          const made = spawnSync('ssh-keygen', [
            '-q',
            '-s',
            join(dir, 'ca'),
            '-I',
            'bench',
            '-n',
            'bench-0',
            '-V',
            '+8h',
            join(dir, 'id.pub'),
          ]);
          if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
        }
        return (count * 1000) / (performance.now() - began);
      },
      async tearDown() {
        caller.close();
        await daemon.stop();
        rmSync(dir, { recursive: true, force: true });
      },
    };
  },
};

export const manyActors: Benchmark = {
  name: 'sign_100k_actors_over_10',
  unit: 'ms',
  baseline: 'the same daemon with 10 actors',
  aim: '<= 1.1',
  async setUp() {
    const few = await startDaemon({ actors: 10 });
    const many = await startDaemon({ actors: 100_000 });
    const publicKey = keyPair(join(few.dir, 'id'));
    const ours = new Caller(many.socket, publicKey, 'agt-bench-99999');
    const baseline = new Caller(few.socket, publicKey, 'agt-bench-9');
    const p50 = async (caller: Caller): Promise<number> => {
      const { ms, answers } = await caller.p50(400);
      checkCertificates(answers, publicKey);
      return ms;
    };
    return {
      ours: () => p50(ours),
      baseline: () => p50(baseline),
      async tearDown() {
        ours.close();
        baseline.close();
        await Promise.all([few.stop(), many.stop()]);
      },
    };
  },
};
