import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { queryLedger } from '../../src/ledger/query.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { openLedger, temporaryFolder } from './support.ts';

const ROUNDS = 40;

/** Runs the writer until it has reported `until` records, kills it, and returns every whole line that it printed. */
async function runAndKill(script: string, dir: string, anchorFile: string, until: number): Promise<string[]> {
  const child = spawn(process.execPath, [script, dir, anchorFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    output += chunk;
    if (output.split('\n').length > until) child.kill('SIGKILL');
  });
  const signal = await new Promise((resolve) => child.on('close', (_code, name) => resolve(name)));
  expect(signal).toBe('SIGKILL');
  return output.split('\n').slice(0, -1);
}

it(`a writer killed ${ROUNDS} times at random moments loses no record that it called durable, and gives no serial twice`, async () => {
  const root = temporaryFolder();
  const [dir, anchorFile, script] = [join(root, 'state'), join(root, 'anchor'), join(root, 'writer.mjs')];
  await build({
    entryPoints: [fileURLToPath(new URL('./fixtures/writer.ts', import.meta.url))],
    outfile: script,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
  });
  const durable = new Map<string, string>();
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const line of await runAndKill(script, dir, anchorFile, 1 + Math.floor(Math.random() * 60))) {
      const [seq = '', serial = ''] = line.split(' ');
      expect(durable.has(seq)).toBe(false);
      durable.set(seq, serial);
    }
    expect((await verifyLedger(dir, { anchorFile })).findings).toEqual([]);
  }
  const { ledger } = await openLedger(dir, { anchorFile });
  expect(ledger.status().writable).toBe(true);
  const serials = new Set<string>();
  for await (const { seq, record } of queryLedger(dir, { kind: 'sign' })) {
    expect(serials.has(record.serial ?? '')).toBe(false);
    serials.add(record.serial ?? '');
    const reported = durable.get(String(seq));
    if (reported !== undefined) expect(record.serial).toBe(reported);
    durable.delete(String(seq));
  }
  expect([...durable]).toEqual([]);
  expect(serials.size).toBeGreaterThan(ROUNDS);
  expect(readdirSync(dir).every((name) => statSync(join(dir, name)).size < 1_000_000)).toBe(true);
}, 240_000);
