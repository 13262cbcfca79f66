import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { FetchRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { Client, findings, refusalOf } from '../e2e/support.ts';
import { plainInventory, startDaemon, writeConfig } from '../support/daemon.ts';
import { graph } from './graph.ts';
import { residentSlope, type Sample } from './slope.ts';

/**
 * A daemon in the dev posture under a steady mix for as long as is asked: certificates, secrets, commands, refusals,
 * connections that come and go, reloads, a watcher. Every answer is looked at; the ledger is verified at the end.
 *   npm run soak -- [--minutes 30] [--svg FILE]
 */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' }, svg: { type: 'string' } } });
const minutes = Number(values.minutes);
if (!(minutes > 0 && minutes <= 24 * 60)) throw new Error('--minutes wants a number from 1 to 1440');

const WARDEN = `version: 1
posture: dev
limits: { per_caller_rate: 1000/s, per_caller_concurrency: 256 }
ledger: { rotate: 4MiB }
`;
const ROUTES = `version: 1
routes:
  - id: soak
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: soak, fields: [token] } }
    fetch_capable: true
    exec_capable: true
    inject: [{ field: token, env: SOAK_TOKEN }]
    actors: [agt-test]
`;

const daemon = await startDaemon({ warden: WARDEN });
writeFileSync(join(daemon.house.config, 'routes.yaml'), ROUTES, { mode: 0o600 });
const client = await Client.open(daemon.socket);
await client.reload();

const began = performance.now();
const until = began + minutes * 60_000;
const counts = { signed: 0, fetched: 0, executed: 0, refused: 0, connected: 0, reloaded: 0 };

/** Does `work` again and again, `perSecond` times a second at most, until the time is over. */
async function steadily(perSecond: number, work: () => Promise<void>): Promise<void> {
  while (performance.now() < until) {
    const next = performance.now() + 1000 / perSecond;
    await work();
    await pause(Math.max(0, next - performance.now()));
  }
}

async function fetchOnce(): Promise<void> {
  const request = FetchRequest.fromPartial({ route: 'soak', actor: 'agt-test' });
  const { fields } = await client.call(WardenDefinition.methods.fetch, request);
  if (fields[0]?.value.toString().startsWith('synthetic-') !== true) throw new Error('a wrong value');
  counts.fetched += 1;
}

/** `warden exec`, where this version has it; its output is masked. */
function execOnce(): Promise<void> {
  const args = ['dist/warden.cjs', 'exec', '--route', 'soak', '--actor', 'agt-test', '--', 'printenv', 'SOAK_TOKEN'];
  const env = { PATH: process.env.PATH, HOME: daemon.house.folder, WARDEN_SOCKET: daemon.socket };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      if (code !== 0 || text.trim() !== '[masked:soak]') reject(new Error(`exec ended with ${code}: ${text}`));
      else {
        counts.executed += 1;
        resolve();
      }
    });
  });
}

const samples: Sample[] = [];
function look(): void {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8')) ?? [];
  samples.push({
    minute: (performance.now() - began) / 60_000,
    residentMiB: Number(kilobytes) / 1024,
    descriptors: readdirSync(`/proc/${daemon.pid}/fd`).length,
  });
}

const work = [
  ...Array.from({ length: 4 }, () =>
    steadily(10, async () => {
      if ((await client.sign()).certificate === '') throw new Error('no certificate');
      counts.signed += 1;
    }),
  ),
  steadily(10, fetchOnce),
  steadily(0.5, execOnce),
  steadily(5, async () => {
    const { reason } = await refusalOf(client.sign({ ttlSeconds: 999n * 3600n }));
    if (reason !== 'ttl_out_of_bounds') throw new Error(`refused as ${reason}`);
    counts.refused += 1;
  }),
  steadily(5, async () => {
    const other = await Client.open(daemon.socket);
    await other.status();
    other.close();
    counts.connected += 1;
  }),
  steadily(1 / 15, async () => {
    const more = counts.reloaded % 2 === 0 ? '# another\n' : '';
    writeConfig(daemon.house, { warden: `${WARDEN}${more}`, inventory: plainInventory() });
    await client.reload();
    counts.reloaded += 1;
  }),
  steadily(0.2, async () => look()),
];
try {
  await Promise.all(work);
  const status = await client.status();
  client.close();
  if ((await daemon.stop()) !== 0) throw new Error('the daemon did not stop in order');
  const broken = await findings(daemon.house);
  if (broken.length > 0) throw new Error(`the ledger is broken: ${broken.join('; ')}`);
  const slope = residentSlope(samples);
  const [first, last] = [samples[0], samples.at(-1)];
  const head = `wardend, ${minutes} min under load: resident memory grows by ${slope.toFixed(1)} MiB an hour after the warm-up`;
  if (values.svg !== undefined) writeFileSync(values.svg, graph(samples, head));
  process.stdout.write(
    `${head}\n${JSON.stringify({ minutes, node: process.version, slope_mib_per_hour: slope, first, last, ledger_seq: String(status.ledger?.seq), ...counts })}\n`,
  );
} finally {
  await daemon.stop('SIGKILL');
  daemon.house.remove();
}
process.exit(0);
