import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseCertificateLine, verifyCertificate } from '../../src/ssh/certificate.ts';
import { keyPair, startDaemon, writeConfig } from './programs.ts';
import type { Benchmark } from './stats.ts';

const RUNS = 5;

function wallOfNode(): number {
  const began = performance.now();
  for (let i = 0; i < RUNS; i++) {
    if (spawnSync(process.execPath, ['-e', '0']).status !== 0) throw new Error('node -e 0 failed');
  }
  return (performance.now() - began) / RUNS;
}

export const wardenSignWall: Benchmark = {
  name: 'warden_sign_wall_over_node',
  unit: 'ms',
  baseline: 'node -e 0',
  aim: '<= 2.2',
  async setUp() {
    const daemon = await startDaemon();
    keyPair(join(daemon.dir, 'id'));
    const out = join(daemon.dir, 'id-cert.pub');
    return {
      async ours() {
        const began = performance.now();
        for (let i = 0; i < RUNS; i++) {
          const args = [
            'dist/warden.cjs',
            'sign',
            'agt-bench-0',
            '--socket',
            daemon.socket,
            '--pubkey',
            join(daemon.dir, 'id.pub'),
          ];
          const ran = spawnSync(process.execPath, args);
          if (ran.status !== 0) throw new Error(`warden sign: ${ran.stderr}`);
        }
        const wall = (performance.now() - began) / RUNS;
        if (!verifyCertificate(parseCertificateLine(readFileSync(out, 'utf8')))) throw new Error('no certificate');
        rmSync(out);
        return wall;
      },
      baseline: async () => wallOfNode(),
      tearDown: () => daemon.stop(),
    };
  },
};

export const coldStart: Benchmark = {
  name: 'cold_start_over_node',
  unit: 'ms',
  baseline: 'node -e 0',
  aim: 'shown',
  async setUp() {
    const { dir, args } = writeConfig();
    return {
      async ours() {
        const began = performance.now();
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
        let seen = '';
        await new Promise<void>((resolve, reject) => {
          child.stderr.on('data', (chunk: Buffer) => {
            seen += chunk;
            if (seen.includes('"ready"')) resolve();
          });
          child.once('exit', (code) => reject(new Error(`ended with ${code}: ${seen}`)));
        });
        const wall = performance.now() - began;
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
        return wall;
      },
      baseline: async () => wallOfNode(),
      async tearDown() {
        rmSync(dir, { recursive: true, force: true });
      },
    };
  },
};

export const idleRss: Benchmark = {
  name: 'idle_rss_mb',
  unit: 'MB',
  baseline: 'an idle node',
  aim: 'shown',
  async setUp() {
    return {
      async ours() {
        const daemon = await startDaemon();
        await setTimeout(1_500);
        const rss = rssOf(daemon.child.pid);
        await daemon.stop();
        return rss;
      },
      async baseline() {
        const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' });
        await setTimeout(500);
        const rss = rssOf(child.pid);
        const gone = once(child, 'exit');
        child.kill('SIGKILL');
        await gone;
        return rss;
      },
      async tearDown() {},
    };
  },
};

function rssOf(pid: number | undefined): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (line === null) throw new Error('no VmRSS');
  return Number(line[1]) / 1024;
}
