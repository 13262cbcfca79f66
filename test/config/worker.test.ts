import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { type WorkerParser, type WorkerParserOptions, workerParser } from '../../src/config/worker-parser.ts';
import { CONTEXT, configFolder, inventoryWith, put, storeOf, WARDEN } from './support.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Enough actors that the answer takes many slices. */
const MANY = `version: 1\nactors:\n${Array.from({ length: 10_000 }, (_, index) => `  - name: agt-a${index}\n    type: agt\n    principals: [p${index}]\n    callers: [{ user: root, exe: /usr/bin/env }]\n`).join('')}`;

describe('the parse worker', () => {
  const dir = mkdtempSync(join(tmpdir(), 'warden-worker-'));
  const url = pathToFileURL(join(dir, 'config-worker.mjs'));
  beforeAll(async () => {
    await build({
      absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
      entryPoints: ['src/config/worker.ts'],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: fileURLToPath(url),
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
    });
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const parser = (options: WorkerParserOptions = {}): WorkerParser => {
    const made = workerParser({ url, ...options });
    onTestFinished(() => made.close());
    return made;
  };
  const scripted = (name: string, code: string): URL => {
    writeFileSync(join(dir, name), code);
    return pathToFileURL(join(dir, name));
  };

  test.each([
    ['a good file', WARDEN],
    ['a bad file', 'version: 2\nadmins: [{ user: no-such-user-here }, {}]\n'],
    ['no YAML', 'a: [\n'],
    ['nothing', ''],
  ])('answers as a parse in process does: %s', async (_name, text) => {
    const source = { file: 'warden.yaml', bytes: bytes(text) };
    expect(await parser().settings(source, '/etc/warden')).toEqual(
      await inProcessParser().settings(source, '/etc/warden'),
    );
  });

  test('sends 10,000 actors whole', async () => {
    const source = { file: 'inventory.yaml', bytes: bytes(MANY) };
    const sent = await parser().inventory(source, CONTEXT);
    expect(sent.actors).toHaveLength(10_000);
    expect(sent).toEqual(await inProcessParser().inventory(source, CONTEXT));
  });

  test('takes jobs that come together one after the other', async () => {
    const worker = parser();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        worker.inventory({ file: 'inventory.yaml', bytes: bytes(inventoryWith(`agt-${index}`)) }, CONTEXT),
      ),
    );
    expect(answers.map((answer) => answer.actors[0]?.name)).toEqual(
      Array.from({ length: 20 }, (_, index) => `agt-${index}`),
    );
  });

  test('asks the machine whether what it said still holds', async () => {
    const worker = parser();
    expect(await worker.factsHold([['uid', 'root', 0]])).toBe(true);
    expect(
      await worker.factsHold([
        ['uid', 'root', 0],
        ['gid', 'no-such-group-here', 7],
      ]),
    ).toBe(false);
  });

  test('a thread that was started ahead serves the first job', async () => {
    const worker = parser({});
    worker.warm();
    worker.warm();
    const { actors } = await worker.inventory(
      { file: 'inventory.yaml', bytes: bytes(inventoryWith('agt-ahead')) },
      CONTEXT,
    );
    expect(actors[0]?.name).toBe('agt-ahead');
  });

  test('ends when it has nothing to do, and starts again for the next job', async () => {
    const worker = parser({ idleMs: 0 });
    for (const round of [1, 2, 3]) {
      const { actors } = await worker.inventory(
        { file: 'inventory.yaml', bytes: bytes(inventoryWith(`agt-${round}`)) },
        CONTEXT,
      );
      expect(actors[0]?.name).toBe(`agt-${round}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  });

  test.each([
    ['throws', 'throw new Error("secret detail");', 'the parser failed'],
    ['exits', 'process.exit(0);', 'the parser ended'],
    [
      'throws at a job',
      'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { throw new Error("x"); });',
      'the parser failed',
    ],
    [
      'needs too much memory',
      'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { const all = []; for (;;) all.push(new Array(100000).fill(all.length)); });',
      'it needs too much memory',
    ],
    [
      'never answers',
      'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => {});',
      'it took longer than 200 ms',
    ],
  ])('that %s is a failure, not the end of the daemon', async (name, code, message) => {
    const worker = parser({
      url: scripted(`${name.replaceAll(' ', '-')}.mjs`, code),
      timeoutMs: name === 'never answers' ? 200 : 60_000,
      heapMiB: 32,
    });
    for (let tries = 0; tries < 2; tries += 1) {
      await expect(worker.settings({ file: 'warden.yaml', bytes: bytes(WARDEN) }, '/')).rejects.toMatchObject({
        name: 'ParserFailure',
        message,
      });
    }
  });

  test('serves the store: swap, refuse, swap', async () => {
    const folder = configFolder();
    const store = storeOf(folder, { parser: parser() });
    expect((await store.load()).kind).toBe('swapped');
    put(join(folder, 'inventory.yaml'), 'version: 1\nactors: [{}]\n');
    expect((await store.load()).kind).toBe('refused');
    put(join(folder, 'inventory.yaml'), MANY);
    expect((await store.load()).kind).toBe('swapped');
    expect(store.current.actors.size).toBe(10_000);
    expect((await store.load()).kind).toBe('unchanged');
  });
});
