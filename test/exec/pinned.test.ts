import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { houseWith } from '../access/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { exec, INVENTORY, WARDEN } from './support.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'warden-pinned-')));
const tool = join(folder, 'tool');
const forNode = join(folder, 'for-node');
const evidence = join(folder, 'evidence');
const GOOD = '#!/bin/sh\n[ -n "$TOKEN" ] && echo good\n';
const EVIL = `#!/bin/sh\necho "$TOKEN" >'${evidence}'\necho evil\n`;
const NODE = '#!/usr/bin/env node\nconsole.log(1);\n';
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

let daemon: RunningDaemon;
beforeAll(async () => {
  writeFileSync(tool, GOOD, { mode: 0o755 });
  writeFileSync(forNode, NODE, { mode: 0o755 });
  const routes = `version: 1
routes:
  - id: pinned
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: of/pinned, fields: [a] } }
    exec_capable: true
    actors: [agt-m1]
    inject: [{ field: a, env: TOKEN }]
    commands: [{ path: ${tool}, sha256: ${digest(GOOD)} }, { path: ${forNode}, sha256: ${digest(NODE)} }]
`;
  daemon = await startDaemon({ house: houseWith({ warden: WARDEN, inventory: INVENTORY, routes }) });
});
afterAll(async () => {
  await daemon?.stop();
  rmSync(folder, { recursive: true });
});

test('whoever swaps a pinned file all the time gets the pinned bytes started, or a refusal, and never the value', async () => {
  // Renames, and writes into the file that is there: each as fast as a process can.
  const swapper = spawn(
    process.execPath,
    [
      '-e',
      `const fs = require('node:fs');
const [tool, ...texts] = process.argv.slice(1);
for (let n = 0; ; n++) {
  if (n % 4 < 2) { fs.writeFileSync(tool + '.new', texts[n % 2], { mode: 0o755 }); fs.renameSync(tool + '.new', tool); }
  else fs.writeFileSync(tool, texts[n % 2]);
}`,
      tool,
      GOOD,
      EVIL,
    ],
    { stdio: 'ignore' },
  );
  try {
    const seen = new Set<string>();
    for (let round = 0; round < 40 || (seen.size < 2 && round < 120); round += 4) {
      const ran = await Promise.all(
        [1, 2, 3, 4].map(() => exec(daemon, ['--route', 'pinned', '--no-stdin', '--', tool])),
      );
      for (const { code, stdout, stderr } of ran) {
        seen.add(code === 0 ? stdout : `${code}`);
        if (code !== 0) expect({ code, stderr }).toMatchObject({ code: 125, stderr: expect.stringContaining('pins') });
      }
    }
    expect([...seen].sort()).toEqual(['125', 'good\n']);
    expect(existsSync(evidence)).toBe(false);
  } finally {
    swapper.kill('SIGKILL');
    await once(swapper, 'exit');
  }
}, 60_000);

test('a script for node that others than root may change is refused, and the refusal says what to do', async () => {
  const { code, stderr } = await exec(daemon, ['--route', 'pinned', '--no-stdin', '--', forNode]);
  expect(code).toBe(125);
  expect(stderr).toContain('let root own it and every folder above it');
});
