import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMANDS } from '../../client/commands.ts';
import { fishCompletion } from '../../client/completion/fish.ts';
import { zshCompletion } from '../../client/completion/zsh.ts';
import { run } from '../agent/support/run.ts';
import { builtPrograms } from '../support/built.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

const DRIVER = fileURLToPath(new URL('../support/zsh-offers.zsh', import.meta.url));

/** What is typed, and what both shells offer then. */
const CASES: readonly (readonly [string, string, readonly string[]])[] = [
  ['a command', 'warden si', ['sign']],
  ['commands with one beginning', 'warden re', ['registry', 'reload', 'revoke']],
  ['a second word', 'warden ledger ', ['accept', 'export', 'query', 'tail', 'verify']],
  ['an actor, by asking the daemon', 'warden sign ', ['adm-tester', 'agt-test']],
  ['the actor of an option', 'warden agent --actor agt', ['agt-test']],
  ['an option', 'warden sign agt-test --pri', ['--principal']],
  ['an option that every command has', 'warden sign agt-test --js', ['--json']],
  ['an option of a two-word command', 'warden ledger query --out', ['--outcome']],
  ['the value of an option', 'warden ledger query --outcome ', ['failed', 'ok', 'refused']],
  ['a posture', 'warden init --posture p', ['prod']],
  ['a shell', 'warden completion z', ['zsh']],
  ['a file', 'warden sign agt-test --pubkey own', ['own-key.pub']],
  ['nothing where nothing is known', 'warden sign agt-test --ttl ', []],
];

let daemon: RunningDaemon;
let folder: string;
let env: Record<string, string>;
let zsh: readonly (readonly string[])[];

beforeAll(async () => {
  daemon = await startDaemon();
  folder = mkdtempSync(join(tmpdir(), 'warden-shells-'));
  const program = `#!/bin/sh\nexec "${process.execPath}" "${builtPrograms().warden}" "$@"\n`;
  writeFileSync(join(folder, 'warden'), program, { mode: 0o755 });
  writeFileSync(join(folder, 'own-key.pub'), '');
  writeFileSync(join(folder, 'c.zsh'), zshCompletion(COMMANDS));
  writeFileSync(join(folder, 'c.fish'), fishCompletion(COMMANDS));
  env = { PATH: `${folder}:${process.env.PATH}`, HOME: folder, TERM: 'dumb', WARDEN_SOCKET: daemon.socket };
  // One interactive zsh for all lines.
  const driven = await run('zsh', ['-f', DRIVER, join(folder, 'c.zsh'), ...CASES.map(([, line]) => line)], env, folder);
  expect(driven).toMatchObject({ code: 0, stderr: '' });
  zsh = driven.stdout.split('.\n').map((list) => [...new Set(list.split('\n').filter((line) => line !== ''))].sort());
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
  rmSync(folder, { recursive: true, force: true });
});

test.each(CASES.map((row, index) => [...row, index] as const))('zsh offers %s', (_name, _line, expected, index) => {
  expect(zsh[index]).toEqual(expected);
});

test.each(CASES)('fish offers %s', async (_name, line, expected) => {
  const script = `source ${folder}/c.fish; complete -C '${line}'`;
  const { code, stdout, stderr } = await run('fish', ['--no-config', '-c', script], env, folder);
  expect([code, stderr]).toEqual([0, '']);
  const offered = stdout.split('\n').filter((text) => text !== '');
  expect(offered.map((text) => text.split('\t')[0]).sort()).toEqual(expected);
});
