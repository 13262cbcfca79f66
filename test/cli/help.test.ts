import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../client/commands.ts';
import { bashCompletion } from '../../client/completion/bash.ts';
import { fishCompletion } from '../../client/completion/fish.ts';
import { zshCompletion } from '../../client/completion/zsh.ts';
import { cliPage } from '../../client/docs.ts';
import { ALLOW_PAGES, PAGES } from '../../client/explain-pages.ts';
import { REASONS } from '../../src/kernel/reason.ts';
import { builtPrograms } from '../support/built.ts';
import { json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

describe('the table of commands', () => {
  test('docs/cli.md is what it says', () => {
    expect(readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')).toBe(cliPage(COMMANDS));
  });

  test('every command can be loaded and has a name of its own', async () => {
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
    for (const { load } of COMMANDS) expect((await load()).run).toBeTypeOf('function');
  });

  test('what is printed is plain ASCII but for dashes, dots and ellipses', () => {
    expect(cliPage(COMMANDS).replace(/[·…–]/g, '')).toMatch(/^[\x20-\x7e\n]*$/);
  });
});

describe('$ warden explain CODE', () => {
  test('there is a page on each reason, and each of its sentences is whole', () => {
    expect(Object.keys(PAGES).sort()).toEqual(Object.keys(REASONS).sort());
    for (const [code, { means, why, mend }] of Object.entries({ ...PAGES, ...ALLOW_PAGES })) {
      expect(why.length, code).toBeGreaterThan(0);
      expect(mend.length, code).toBeGreaterThan(0);
      for (const sentence of [means, ...why, ...mend]) expect(sentence, code).toMatch(/^\S.*\.$/);
    }
  });

  test('prints the page', async () => {
    const result = await warden(['explain', 'ttl_out_of_bounds']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(
      /^ttl_out_of_bounds \(refused\)\nThe lifetime .*\nwhy it happens\n {2}- .*\nwhat to do\n {2}- /s,
    );
  });

  test('without a code lists all of them', async () => {
    const { stdout } = await warden(['explain']);
    for (const code of Object.keys(REASONS)) expect(stdout).toContain(`\n${code} `.trimStart());
  });

  test('a mistyped code is answered with the nearest', async () => {
    const result = await warden(['explain', 'ttl_out_of_bound']);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('do: did you mean ttl_out_of_bounds?');
  });
});

describe('$ warden', () => {
  test.each<[string, string[], number, 'stdout' | 'stderr', RegExp]>([
    ['alone prints the overview as an error', [], 2, 'stderr', /^warden: SSH certificates/],
    ['--help prints it as the answer', ['--help'], 0, 'stdout', /\n {2}sign +get a short-lived/],
    ['so does -h', ['-h'], 0, 'stdout', /\n {2}sign +get a short-lived/],
    ['help prints it too', ['help'], 0, 'stdout', /\n {2}ledger verify +/],
    ['help sign', ['help', 'sign'], 0, 'stdout', /^warden sign: .*\n\nusage\n {2}warden sign ACTOR \[options\]\n/],
    ['sign --help', ['sign', '--help'], 0, 'stdout', /--if-expiring TIME/],
    ['sign -h', ['sign', '-h'], 0, 'stdout', /--if-expiring TIME/],
    ['help ledger query', ['help', 'ledger', 'query'], 0, 'stdout', /--outcome OUTCOME/],
    ['help ledger lists the family', ['help', 'ledger'], 0, 'stdout', /ledger accept/],
    ['version', ['version'], 0, 'stdout', /^warden \d+\.\d+\.\d+\n$/],
    ['--version', ['--version'], 0, 'stdout', /^warden \d+\.\d+\.\d+\n$/],
    [
      'a mistyped command',
      ['sgin', 'x'],
      2,
      'stderr',
      /there is no command "sgin"\n.*\n {2}do: did you mean warden sign\?/,
    ],
    [
      'a mistyped second word',
      ['ledger', 'verfy'],
      2,
      'stderr',
      /verify, tail, query, export, accept; "verfy" is none/,
    ],
    ['half a command', ['registry'], 2, 'stderr', /these commands: build, check; say which/],
    [
      'a mistyped option',
      ['sign', 'x', '--pubkye', 'f'],
      2,
      'stderr',
      /no option "--pubkye"\n.*\n {2}do: did you mean --pubkey\?/,
    ],
    [
      'a command with options, and no -- before it',
      ['exec', '--route', 'x', 'ls', '-l', '--color'],
      125,
      'stderr',
      /does not take "ls" before --\n.*\n {2}do: put -- before the command/,
    ],
    [
      'a mistyped option before any command',
      ['exec', '--rout', 'x', '--', 'ls'],
      125,
      'stderr',
      /did you mean --route\?/,
    ],
    ['an option without its value', ['sign', 'x', '--ttl'], 2, 'stderr', /--ttl needs a TTL/],
    ['a value for a switch', ['actors', '--quiet=yes'], 2, 'stderr', /--quiet takes no value/],
    [
      'an option where a value belongs',
      ['sign', 'x', '--ttl', '--quiet'],
      2,
      'stderr',
      /"--quiet" looks like an option/,
    ],
    ['a prototype name as command', ['__proto__'], 2, 'stderr', /there is no command/],
    ['a prototype name as option', ['actors', '--constructor'], 2, 'stderr', /no option "--constructor"/],
    ['a terminal sequence in a word', ['\u001b[2J'], 2, 'stderr', /there is no command "\?\[2J"/],
  ])('%s', async (_name, args, code, stream, text) => {
    const result = await warden(args);
    expect(result.code).toBe(code);
    expect(result[stream]).toMatch(text);
    if (stream === 'stdout') expect(result.stderr).toBe('');
  });

  test('a global option may stand before the command', async () => {
    const result = await warden(['--socket', '/nonexistent/a.sock', '--json', 'actors']);
    expect(result).toMatchObject({ code: 3, stderr: '' });
    expect(json(result)).toMatchObject({ error: { kind: 'unreachable', reason: 'daemon_unreachable' } });
  });

  test.each([
    [
      'a full disk behind stdout is told',
      '--quiet >/dev/full',
      2,
      /^warden: usage: cannot write to stdout: the disk is full\n/,
    ],
    ['in a form for machines there is nowhere to tell it', '--json >/dev/full', 2, /^$/],
    ['a full disk behind stderr changes nothing', 'no_such_code 2>/dev/full', 2, /^$/],
  ])('%s', (_name, words, status, stderr) => {
    const { warden: bundle } = builtPrograms();
    const done = spawnSync('bash', ['-c', `"${process.execPath}" "${bundle}" explain ${words}`], { encoding: 'utf8' });
    expect(done).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(stderr) });
  });

  test('a reader that leaves is no failure', () => {
    const { warden: bundle } = builtPrograms();
    const done = spawnSync('bash', ['-c', `set -o pipefail; "${process.execPath}" "${bundle}" explain | head -1`], {
      encoding: 'utf8',
    });
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout.split('\n')).toHaveLength(2);
  });
});

describe('completion', () => {
  let daemon: RunningDaemon;
  let folder: string;
  beforeAll(async () => {
    daemon = await startDaemon();
    folder = mkdtempSync(join(tmpdir(), 'warden-complete-'));
    writeFileSync(join(folder, 'warden'), `#!/bin/sh\nexec "${process.execPath}" "${builtPrograms().warden}" "$@"\n`, {
      mode: 0o755,
    });
    writeFileSync(join(folder, 'completion.bash'), bashCompletion(COMMANDS));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await daemon?.stop();
    daemon?.house.remove();
  });

  /** What bash would offer after these words; the last one is being typed. */
  function offered(words: readonly string[]): string[] {
    const script = [
      `source ${folder}/completion.bash`,
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}`,
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own, not JavaScript's
      'compopt() { :; }; _warden; printf "%s\\n" "${COMPREPLY[@]}"',
    ].join('\n');
    const env = { PATH: `${folder}:${process.env.PATH}`, WARDEN_SOCKET: daemon.socket };
    const done = spawnSync('bash', ['--norc', '-c', script], { cwd: folder, env, encoding: 'utf8' });
    expect(done.stderr).toBe('');
    return done.stdout
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  }

  test.each<[string, string[], string[]]>([
    ['a command', ['warden', 'si'], ['sign']],
    ['commands with one beginning', ['warden', 're'], ['registry', 'reload', 'revoke']],
    ['a second word', ['warden', 'ledger', ''], ['accept', 'export', 'query', 'tail', 'verify']],
    ['an actor, by asking the daemon', ['warden', 'sign', ''], ['adm-tester', 'agt-test']],
    ['an actor after options', ['warden', '--json', 'sign', '--ttl', '1h', 'agt'], ['agt-test']],
    ['an option', ['warden', 'sign', 'agt-test', '--pri'], ['--principal']],
    ['an option of a two-word command', ['warden', 'ledger', 'query', '--out'], ['--outcome']],
    ['the value of an option', ['warden', 'ledger', 'query', '--outcome', ''], ['failed', 'ok', 'refused']],
    ['a posture', ['warden', 'init', '--posture', 'p'], ['prod']],
    ['a shell', ['warden', 'completion', 'z'], ['zsh']],
    ['a file', ['warden', 'sign', 'agt-test', '--pubkey', 'compl'], ['completion.bash']],
    ['nothing where nothing is known', ['warden', 'sign', 'agt-test', '--ttl', ''], []],
  ])('bash offers %s', (_name, words, expected) => {
    expect(offered(words)).toEqual(expected);
  });

  test('the command prints the script of each shell', async () => {
    for (const [shell, script] of [
      ['bash', bashCompletion],
      ['zsh', zshCompletion],
      ['fish', fishCompletion],
    ] as const) {
      expect(await warden(['completion', shell])).toEqual({ code: 0, stdout: script(COMMANDS), stderr: '' });
    }
    expect(await warden(['completion', 'tcsh'])).toMatchObject({ code: 2, stdout: '' });
  });

  test('the scripts of zsh and fish name every command and every option', () => {
    for (const script of [zshCompletion(COMMANDS), fishCompletion(COMMANDS)]) {
      for (const { name, options } of COMMANDS) {
        for (const word of name.split(' ')) expect(script).toContain(word);
        for (const option of Object.keys(options)) expect(script).toMatch(new RegExp(`(?:--|-l )${option}\\b`));
      }
    }
  });
});
