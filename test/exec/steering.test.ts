// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a shell's variables are what is meant.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { houseWith } from '../access/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { exec, INVENTORY, WARDEN } from './support.ts';

/** What the caller's tricks run: it shows the value in a form that nobody looks for. */
const THIEF = 'echo stolen; printf %s "$TOKEN" | rev\n';

const folder = mkdtempSync(join(tmpdir(), 'warden-steering-'));
const script = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
};
const tool = script('tool', '#!/bin/bash\necho honest\n');
const byEnv = script('by-env', '#!/usr/bin/env printenv\n');
const thief = script('thief', THIEF);

const route = (id: string, more: string): string => `  - id: ${id}
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: of/${id}, fields: [a] } }
    exec_capable: true
    inject: [{ field: a, env: TOKEN }]
    actors: [agt-m1]
${more}`;
const listed = `    commands: [{ path: ${tool} }, { path: ${byEnv} }, { path: /usr/bin/env }]`;
const routes = `version: 1
routes:
${route('listed', listed)}
${route('strict', `${listed}\n    pristine: true`)}
${route('any', '    allow_any_command: true')}
`;

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseWith({ warden: WARDEN, inventory: INVENTORY, routes }) });
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
  rmSync(folder, { recursive: true });
});

describe('a caller who would have a listed command run something else', () => {
  test('by BASH_ENV gets what the command does, and where any command may run what was asked for', async () => {
    const env = { BASH_ENV: thief };
    expect(await exec(daemon, ['--route', 'listed', '--', tool], { env })).toEqual({
      code: 0,
      stdout: 'honest\n',
      stderr: '',
    });
    expect(await exec(daemon, ['--route', 'any', '--', tool], { env })).toMatchObject({
      stdout: expect.stringMatching(/^stolen\n\S{20,}honest\n$/),
    });
  });

  test('by an --env-file is told which variable, and of which route', async () => {
    expect(
      await exec(daemon, ['--route', 'listed', '--env-file', envFile(`BASH_ENV=${thief}`), '--', tool]),
    ).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/BASH_ENV could steer the commands of listed\n {2}why: invalid_request/),
    });
    expect(await exec(daemon, ['--route', 'strict', '--env-file', envFile('PGHOST=x'), '--', tool])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('PGHOST could steer the commands of strict'),
    });
  });

  test("by a PATH of its own does so unless the route is pristine: then the path is the system's", async () => {
    const own = join(folder, 'bin');
    mkdirSync(own);
    writeFileSync(join(own, 'printenv'), `#!/bin/sh\n${THIEF}`, { mode: 0o755 });
    const env = { PATH: `${own}:${process.env.PATH}`, PGHOST: 'example.net' };
    expect(await exec(daemon, ['--route', 'listed', '--', byEnv], { env })).toMatchObject({
      stdout: expect.stringContaining('stolen'),
    });
    const { stdout } = await exec(daemon, ['--route', 'strict', '--', 'env'], { env });
    expect(stdout.split('\n').sort()).toEqual([
      '',
      'HOME=/nonexistent',
      'LC_ALL=C.UTF-8',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'TOKEN=[masked:strict]',
    ]);
    expect((await exec(daemon, ['--route', 'strict', '--', byEnv], { env })).stdout).not.toContain('stolen');
  });
});

let files = 0;
function envFile(text: string): string {
  const path = join(folder, `${files++}.env`);
  writeFileSync(path, `${text}\n`);
  return path;
}
