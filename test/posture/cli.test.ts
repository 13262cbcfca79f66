import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECURITY_POSTURE } from '../../src/posture/descriptor.ts';
import { descriptorYaml } from '../../src/posture/descriptor-yaml.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { EXAMPLE, example } from './support.ts';
import { atTerminal } from './terminal.ts';

const EXAMPLE_FILE = fileURLToPath(new URL('../../examples/posture-conformance.example.yaml', import.meta.url));
const AT = '--at 2026-11-01';
let home: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'warden-posture-'));
  writeFileSync(join(home, 'good.yaml'), EXAMPLE);
  writeFileSync(join(home, 'bad.yaml'), example(['unseal: shamir-3-of-5', 'unseal: auto']));
  writeFileSync(join(home, 'leak.yaml'), example(['material_id: m-17', 'material_id: Zx81Qm4wTn77LpRk93Vb']));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const run = (args: string, options: CliOptions = {}) => warden(args.split(' '), { cwd: home, ...options });

describe('$ warden policy', () => {
  test('shows both axes, the floors and the rule', async () => {
    const { code, stdout, stderr } = await run('policy');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/\n {2}unseal +none +single-key, auto +shamir-3-of-5\n/);
    expect(stdout).toMatch(/\n {2}M2 +beta, general availability +confidential +security review, SLO history/);
    expect(stdout).toMatch(/\n {2}restricted +M3\n/);
    expect(stdout).toContain('values never cross tiers');
  });

  test('--json is the descriptor, and --yaml the shipped file', async () => {
    expect(json(await run('policy --json'))).toEqual(JSON.parse(JSON.stringify(SECURITY_POSTURE)));
    expect((await run('policy --yaml')).stdout).toBe(descriptorYaml());
    expect(await run('policy --yaml --json')).toMatchObject({ code: 2 });
  });
});

describe('$ warden policy explain', () => {
  test.each<[string, string, number, RegExp]>([
    [
      'permits a token for a build',
      'prod --maturity M1 --required M1 --class internal',
      0,
      /^a real value: permitted$/m,
    ],
    [
      'refuses below the floor',
      'prod --maturity M1 --required M1 --class confidential',
      1,
      /^ {2}fails {2}data_class_floor: the workload is M1, below the M2 /m,
    ],
    [
      'refuses below the required maturity',
      'prod --maturity M1 --required M2 --class internal',
      1,
      /^ {2}fails {2}required_maturity: /m,
    ],
    [
      'refuses real values in test, and permits those of test',
      'test --maturity M1 --required M1 --class internal',
      1,
      /fails {2}posture: (.|\n)*a value generated for test: permitted/,
    ],
    [
      'refuses real values in dev, and permits synthetic ones',
      'dev --maturity M0 --required M3 --class restricted',
      1,
      /a synthetic value of a double: permitted/,
    ],
  ])('%s', async (_name, args, code, text) => {
    const result = await run(`policy explain --posture ${args}`);
    expect(result).toMatchObject({ code, stderr: '' });
    expect(result.stdout).toMatch(text);
  });

  test('--json has every clause of both rules', async () => {
    const result = json(
      await run('policy explain --posture test --maturity M2 --required M1 --class restricted --json'),
    );
    expect(result).toEqual({
      secret: { required_maturity: 'M1', data_class: 'restricted' },
      workload: { posture: 'test', maturity: 'M2' },
      deliver: {
        permitted: false,
        clauses: [
          { id: 'posture', held: false, needed: 'prod', was: 'test' },
          { id: 'required_maturity', held: true, needed: 'M1', was: 'M2' },
          { id: 'data_class_floor', held: false, needed: 'M3', was: 'M2' },
        ],
      },
      release: {
        material: 'test',
        permitted: false,
        clauses: [
          { id: 'material', held: true, needed: 'test', was: 'test' },
          { id: 'required_maturity', held: true, needed: 'M1', was: 'M2' },
          { id: 'data_class_floor', held: false, needed: 'M3', was: 'M2' },
        ],
      },
    });
  });

  test.each([
    ['without a posture', 'policy explain --maturity M1 --required M1 --class internal', 'needs --posture'],
    [
      'with a level that is none',
      'policy explain --posture prod --maturity M9 --required M1 --class internal',
      '--maturity "M9" is none of them',
    ],
    ['without a class', 'policy explain --posture prod --maturity M1 --required M1', 'needs --class'],
  ])('%s is a usage error', async (_name, args, message) => {
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });
});

describe('$ warden posture check', () => {
  test('the shipped example conforms', async () => {
    const result = await run(`posture check ${EXAMPLE_FILE} ${AT}`);
    expect(result).toEqual({
      code: 0,
      stdout: 'conforms: 74 checks, 3 environments, 6 secrets, 7 flows\n',
      stderr: '',
    });
  });

  test('a finding has file, line, column, rule and mend', async () => {
    const result = await run(`posture check bad.yaml ${AT}`);
    expect(result).toEqual({
      code: 1,
      stdout:
        'bad.yaml:25:13: error environment_unseal environment prod-eu: unseal is auto, and posture prod permits shamir-3-of-5 only\n' +
        '  do: make the environment so that unseal is shamir-3-of-5; naming it so does not change what it is\n' +
        '1 finding in 74 checks: 3 environments, 6 secrets, 7 flows\n',
      stderr: '',
    });
  });

  test('a manifest with a value in it is unusable, and the value is nowhere in any output', async () => {
    for (const form of ['', ' --json', ' --sarif', ' --junit']) {
      const result = await run(`posture check leak.yaml ${AT} --html leak.html${form}`);
      expect(result.code).toBe(2);
      expect(result.stdout).toMatch(/46|random string/);
      const all = `${result.stdout}${result.stderr}${readFileSync(join(home, 'leak.html'), 'utf8')}`;
      expect(all).not.toContain('Zx81Qm4wTn77');
    }
    expect((await run(`posture check leak.yaml ${AT}`)).stdout).toBe(
      'leak.yaml:46:3: this looks like a random string: a manifest holds names, never values\n' +
        '  write: take the value out, rotate it where it is real, and write a short name for it: m-17\n' +
        'unusable: 1 problem, nothing was judged\n',
    );
  });

  test('stdin is as good as a file', async () => {
    expect(await run(`posture check - ${AT} --quiet`, { stdin: EXAMPLE })).toEqual({ code: 0, stdout: '', stderr: '' });
    expect((await run(`posture check - ${AT}`, { stdin: '' })).stdout).toMatch(/^stdin:1:1: the file is empty\n/);
  });

  test('ages can be set, and the day too', async () => {
    expect(await run('posture check good.yaml --at 2027-06-01 --quiet')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining(
        'break_glass_drill environment prod-eu: the last break-glass drill was 273 days ago, and 180 days are the most',
      ),
    });
    expect(await run('posture check good.yaml --at 2027-06-01 --quiet --break-glass-drill-max-age 300d')).toMatchObject(
      { code: 0 },
    );
    expect(await run(`posture check good.yaml ${AT} --quiet --restore-drill-max-age 30d`)).toMatchObject({ code: 1 });
  });

  test('each form is what it says', async () => {
    expect(json(await run(`posture check bad.yaml ${AT} --json`))).toMatchObject({ conforms: false, usable: true });
    expect(json(await run(`posture check bad.yaml ${AT} --sarif`))).toMatchObject({ version: '2.1.0' });
    expect((await run(`posture check bad.yaml ${AT} --junit`)).stdout).toMatch(/^<\?xml version="1\.0"/);
  });

  test.each([
    ['no file', 'posture check', 'needs MANIFEST'],
    ['a file that is not there', 'posture check nowhere.yaml', 'there is no such file'],
    ['a folder', 'posture check .', 'it is a folder'],
    ['two forms at once', 'posture check good.yaml --sarif --json', '--json and --sarif exclude each other'],
    ['a day that is none', 'posture check good.yaml --at soon', 'is no day'],
    ['an age below a day', 'posture check good.yaml --restore-drill-max-age 3h', 'less than a day'],
    ['a page where none can be written', 'posture check good.yaml --html /nonexistent/p.html', 'cannot write'],
  ])('%s is a usage error', async (_name, args, message) => {
    const result = await run(args);
    expect(result.code).toBe(2);
    expect(`${result.stdout}${result.stderr}`).toContain(message);
  });
});

describe('$ warden posture blocker', () => {
  test.each<[string, string, Record<string, unknown>, RegExp]>([
    ['work in dev', '--posture dev', { class: 'removable_by_double', blocks: false }, /doubles of the dev posture/],
    [
      'work in test, whatever the maturity',
      '--posture test --maturity M0 --required M3 --class restricted',
      { class: 'removable_by_double', blocks: false },
      /generate a value for test/,
    ],
    [
      'maturity below what is required',
      '--posture prod --maturity M1 --required M2 --class internal',
      { class: 'real', blocks: true },
      /gate of its next level/,
    ],
    [
      'maturity below the floor',
      '--posture prod --maturity M1 --required M1 --class restricted',
      { class: 'real', blocks: true },
      /classify the secret anew/,
    ],
    [
      'maturity that nobody knows',
      '--posture prod --required M1 --class internal',
      { class: 'real', blocks: true },
      /find out what is missing/,
    ],
    [
      'three things that nobody knows',
      '--posture prod',
      {
        verdict:
          "taken for blocked: the workload's maturity, the secret's required maturity and the secret's data class are not known",
      },
      /find out what is missing/,
    ],
    [
      'custody unresolved, before all else',
      '--posture prod --maturity M0 --required M3 --class restricted --custody unresolved --route r --exec-capable',
      { class: 'ceremony', blocks: true },
      /hold the ceremony/,
    ],
    [
      'a route that can be walked',
      '--posture prod --maturity M1 --required M1 --class internal --route npm-publish --exec-capable',
      { class: 'removable_by_access', blocks: false },
      /warden access npm-publish --exec/,
    ],
    [
      'a route that is not exec-capable',
      '--posture prod --maturity M1 --required M1 --class internal --route npm-publish',
      { class: 'owner_custody', blocks: true },
      /make route npm-publish exec-capable/,
    ],
    [
      'no route at all',
      '--posture prod --maturity M1 --required M1 --class internal',
      { class: 'owner_custody', blocks: true },
      /catalogue a route/,
    ],
  ])('%s', async (_name, args, expected, removes) => {
    const result = json(await run(`posture blocker ${args} --json`));
    expect(result).toMatchObject(expected);
    expect((result.removes as string[]).join('\n')).toMatch(removes);
    expect(result.questions).toHaveLength(5);
    const text = await run(`posture blocker ${args}`);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    expect(text.stdout).toContain(String(result.verdict));
    expect(text.stdout).toContain('what to record, and never the value');
  });

  test.each([
    ['without a posture and without a terminal', 'posture blocker', 'needs --posture'],
    ['exec-capable without a route', 'posture blocker --posture prod --exec-capable', 'name it: --route ID'],
    ['a route that is no id', 'posture blocker --posture prod --route a;b', 'is no route id'],
  ])('%s is a usage error', async (_name, args, message) => {
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  test('at a terminal it asks the five questions, and asks again where the answer is none', () => {
    const answers = ['staging', 'prod', 'M1', 'M2', 'internal', '', 'resolved'];
    const output = atTerminal('posture blocker --quiet', answers, home);
    expect(output.match(/1-2\. In which posture/g)).toHaveLength(2);
    expect(output).toContain('blocked for real: the workload is M1, below the M2 that the secret requires');
    expect(output).toMatch(/exit 0\s*$/);
  });
});
