import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { bindPosture } from '../../daemon/posture-record.ts';
import type { EnvPosture } from '../../src/kernel/posture.ts';
import {
  findPromotion,
  formatPromotions,
  PROMOTIONS_FILE,
  type Promotion,
  parsePromotions,
} from '../../src/posture/promotion-record.ts';
import { makeCaKey } from '../support/ca-key.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { DaemonEnded, makeHouse, startDaemon, writeConfig } from '../support/daemon.ts';
import { EXAMPLE, example } from './support.ts';
import { atTerminal } from './terminal.ts';

let home: string;
let state: string;
const recordFile = (): string => join(state, PROMOTIONS_FILE);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'warden-promote-'));
  state = join(home, 'state');
  mkdirSync(state, { mode: 0o700 });
  writeFileSync(join(home, 'good.yaml'), EXAMPLE);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const run = (args: string, options: CliOptions = {}) =>
  warden(['posture', 'promote', '--state', state, ...args.split(' ')], { cwd: home, ...options });
const is = (posture: EnvPosture): void => writeFileSync(join(state, 'posture'), `${posture}\n`);
const SIGNED = '--signed-off-by A.Steward --reference docs/unseal-custody.md --at 2026-11-01';

describe('$ warden posture promote', () => {
  test('without a manifest prints the list, with what is open', async () => {
    is('test');
    const result = await run('--to prod');
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(result.stdout.replace(state, 'STATE').split('\n')).toEqual([
      'promotion from test to prod of STATE',
      '  [x] the promotion goes one tier up: from test to prod',
      '  [?] every secret was generated anew for the tier: give a manifest',
      "  [?] the store is unsealed by the tier's model: give a manifest",
      '  [?] break-glass is enabled and drilled: give a manifest',
      '  [?] the environment conforms in everything else: give a manifest',
      '  [ ] a person signs off: nobody signed off',
      "  [ ] the ceremony's documents are referred to: no document is named",
      'not finished: a step that does not hold stops the promotion, and nothing was recorded',
      '',
    ]);
    expect(existsSync(recordFile())).toBe(false);
  });

  test('with everything in order every step holds, and nothing is recorded unasked', async () => {
    is('test');
    const result = json(await run(`--to prod good.yaml ${SIGNED} --json`));
    expect(result).toMatchObject({ from: 'test', to: 'prod', environment: 'prod-eu', complete: true, recorded: false });
    expect((result.steps as { held: boolean }[]).map(({ held }) => held)).toEqual(Array(7).fill(true));
    expect(existsSync(recordFile())).toBe(false);
  });

  test.each<[string, readonly (readonly [string, string])[], string]>([
    ['a value that came along from test', [['material_id: m-17', 'material_id: m-2']], 'regenerated_material'],
    ['values that are not fresh', [['generated-fresh', 'generated']], 'regenerated_material'],
    ["the tier's unseal model missing", [['unseal: shamir-3-of-5', 'unseal: auto']], 'unseal_model'],
    ['a dev server behind prod', [['backend: openbao-sealed', 'backend: openbao-dev']], 'unseal_model'],
    ['break-glass missing', [['break_glass: true', 'break_glass: false']], 'break_glass'],
    ['break-glass never drilled', [['      last_break_glass_drill: 2026-09-01\n', '']], 'break_glass'],
    [
      'a flow that the lattice refuses',
      [['id: billing, environment: prod-eu, maturity: M2', 'id: billing, environment: prod-eu, maturity: M0']],
      'conformance',
    ],
  ])('%s stops it, and no other step', async (_name, changes, step) => {
    is('test');
    writeFileSync(join(home, 'bad.yaml'), example(...changes));
    const result = await run(`--to prod bad.yaml ${SIGNED} --record --json`);
    expect(result).toMatchObject({ code: 1, stderr: '' });
    const { steps, complete, recorded } = json(result) as {
      steps: { id: string; held: boolean }[];
      complete: boolean;
      recorded: boolean;
    };
    expect(steps.filter(({ held }) => !held).map(({ id }) => id)).toEqual([step]);
    expect({ complete, recorded, file: existsSync(recordFile()) }).toEqual({
      complete: false,
      recorded: false,
      file: false,
    });
  });

  test("what another environment does wrong is not this one's", async () => {
    is('test');
    writeFileSync(join(home, 'other.yaml'), example(['backend: contract-double', 'backend: openbao-dev']));
    expect(await run(`--to prod other.yaml ${SIGNED}`)).toMatchObject({ code: 0 });
  });

  test.each<[string, EnvPosture, string, string]>([
    ['two tiers at once', 'dev', '--to prod good.yaml', 'one_tier_up'],
    ['downwards', 'prod', '--to test good.yaml', 'one_tier_up'],
    ['to where it is', 'test', '--to test good.yaml', 'one_tier_up'],
  ])('%s is no promotion', async (_name, from, args, step) => {
    is(from);
    const { steps } = json(await run(`${args} ${SIGNED} --record --json`)) as {
      steps: { id: string; held: boolean }[];
    };
    expect(steps.find(({ id }) => id === step)?.held).toBe(false);
    expect(existsSync(recordFile())).toBe(false);
  });

  test.each<[string, string, string]>([
    ['without a target', 'good.yaml', 'needs --to'],
    ['to dev', '--to dev', '--to "dev" is none of them'],
    [
      'with an environment that is not there',
      '--to prod good.yaml --environment prod-us',
      'has no prod environment "prod-us"',
    ],
    ['with an unusable manifest', '--to prod broken.yaml', 'the manifest is unusable at line 1'],
    ['with an empty name', '--to prod --signed-off-by= good.yaml', 'must be one line'],
    ['recorded without a terminal', `--to prod good.yaml ${SIGNED} --record`, 'by a person at a terminal'],
  ])('%s is a usage error', async (_name, args, message) => {
    is('test');
    writeFileSync(join(home, 'broken.yaml'), 'nothing');
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
    expect(existsSync(recordFile())).toBe(false);
  });

  test('in a folder where no daemon ran is a usage error', async () => {
    expect(await run('--to prod')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot read the posture of'),
    });
  });

  test('a person who types another name records nothing', () => {
    is('test');
    const shown = atTerminal(
      `posture promote --state ${state} --to prod good.yaml ${SIGNED} --record`,
      ['prod-us'],
      home,
    );
    expect(shown).toMatch(/not confirmed: nothing was recorded[\s\S]*exit 2/);
    expect(existsSync(recordFile())).toBe(false);
  });

  test('a person who confirms puts evidence on record, and nothing else', () => {
    is('test');
    const shown = atTerminal(
      `posture promote --state ${state} --to prod good.yaml ${SIGNED} --record`,
      ['prod-eu'],
      home,
    );
    expect(shown).toMatch(/a person signs off[\s\S]*Type prod-eu[\s\S]*on record in [\s\S]*exit 0/);
    const [record, ...more] = parsePromotions(readFileSync(recordFile(), 'utf8')) ?? [];
    expect(more).toEqual([]);
    expect(record).toMatchObject({
      from: 'test',
      to: 'prod',
      environment: 'prod-eu',
      manifest_sha256: createHash('sha256').update(EXAMPLE).digest('hex'),
      signed_off_by: 'A.Steward',
      references: ['docs/unseal-custody.md'],
    });
    expect(statSync(recordFile()).mode & 0o022).toBe(0);
    expect(readFileSync(join(state, 'posture'), 'utf8')).toBe('test\n');
  });
});

const RECORD: Promotion = {
  from: 'test',
  to: 'prod',
  environment: 'prod-eu',
  manifest_sha256: 'a'.repeat(64),
  steps: [{ id: 'sign_off', held: true, message: 'signed off by A.Steward' }],
  signed_off_by: 'A.Steward',
  references: ['docs/unseal-custody.md'],
  finished_at: '2026-11-01T00:00:00.000Z',
};

describe('the posture of a state folder', () => {
  const refused = (to: EnvPosture): unknown => {
    try {
      return bindPosture(state, to);
    } catch (error) {
      return error;
    }
  };

  test('is what the first start said, and stays so', () => {
    expect(bindPosture(state, 'dev')).toBeNull();
    expect(bindPosture(state, 'dev')).toBeNull();
    expect(refused('test')).toMatchObject({
      code: 'posture_forbids',
      message: `the state folder ${state} is of posture dev, and the config says test`,
      hint: expect.stringContaining('warden posture promote --to test'),
    });
  });

  test('goes up with a finished record, once, and never down again', () => {
    is('test');
    writeFileSync(recordFile(), formatPromotions([RECORD]), { mode: 0o644 });
    expect(bindPosture(state, 'prod')).toEqual(RECORD);
    expect(readFileSync(join(state, 'posture'), 'utf8')).toBe('prod\n');
    expect(bindPosture(state, 'prod')).toBeNull();
    expect(refused('test')).toMatchObject({ code: 'posture_forbids' });
    expect(refused('dev')).toMatchObject({ code: 'posture_forbids' });
  });

  test.each<[string, () => void, RegExp]>([
    [
      'a record of another step',
      () => writeFileSync(recordFile(), formatPromotions([{ ...RECORD, from: 'dev', to: 'test' }])),
      /is of posture test/,
    ],
    [
      'a record that leads down',
      () => writeFileSync(recordFile(), formatPromotions([{ ...RECORD, from: 'test', to: 'test' }])),
      /is of posture test/,
    ],
    [
      'an unfinished record',
      () =>
        writeFileSync(
          recordFile(),
          JSON.stringify({
            version: 1,
            promotions: [{ ...RECORD, steps: [{ id: 'sign_off', held: false, message: '' }] }],
          }),
        ),
      /no file of promotions/,
    ],
    [
      'a record without documents',
      () => writeFileSync(recordFile(), JSON.stringify({ version: 1, promotions: [{ ...RECORD, references: [] }] })),
      /no file of promotions/,
    ],
    [
      'a record without a name',
      () => writeFileSync(recordFile(), JSON.stringify({ version: 1, promotions: [{ ...RECORD, signed_off_by: '' }] })),
      /no file of promotions/,
    ],
    [
      'a record with a key more',
      () => writeFileSync(recordFile(), JSON.stringify({ version: 1, promotions: [{ ...RECORD, force: true }] })),
      /no file of promotions/,
    ],
    ['no JSON', () => writeFileSync(recordFile(), 'posture: prod\n'), /no file of promotions/],
    ['a file of two megabytes', () => writeFileSync(recordFile(), ' '.repeat(2 * 1024 * 1024)), /too large/],
    [
      'a file that others can write',
      () => {
        writeFileSync(recordFile(), formatPromotions([RECORD]));
        chmodSync(recordFile(), 0o666);
      },
      /group or others can write it/,
    ],
    [
      "someone else's file",
      () => {
        writeFileSync(recordFile(), formatPromotions([RECORD]), { mode: 0o644 });
        chownSync(recordFile(), 4242, 4242);
      },
      /belongs to someone else/,
    ],
    [
      'a link',
      () => {
        writeFileSync(join(home, 'elsewhere'), formatPromotions([RECORD]));
        symlinkSync(join(home, 'elsewhere'), recordFile());
      },
      /cannot be read/,
    ],
    ['a folder', () => mkdirSync(recordFile()), /no regular file/],
  ])('%s lets nothing change', (_name, make, message) => {
    is('test');
    make();
    expect(refused('prod')).toMatchObject({ code: 'posture_forbids', message: expect.stringMatching(message) });
    expect(readFileSync(join(state, 'posture'), 'utf8')).toBe('test\n');
  });

  test('two ceremonies in a row lead from dev to prod, in that order only', () => {
    const first: Promotion = { ...RECORD, from: 'dev', to: 'test' };
    expect(findPromotion([first, RECORD], 'dev', 'prod')).toEqual(RECORD);
    expect(findPromotion([RECORD, first], 'dev', 'prod')).toBeNull();
    expect(findPromotion([], 'dev', 'test')).toBeNull();
  });

  test('the file keeps the newest hundred records', () => {
    const many = Array.from({ length: 130 }, (_, i) => ({ ...RECORD, environment: `e${i}` }));
    const kept = parsePromotions(formatPromotions(many));
    expect(kept).toHaveLength(100);
    expect(kept?.at(-1)?.environment).toBe('e129');
  });
});

describe('a daemon whose config names another posture', () => {
  test('does not start, until the ceremony is on record; then it says who signed', async () => {
    const house = makeHouse();
    try {
      const dev = await startDaemon({ house });
      await dev.stop();
      writeConfig(house, { warden: 'version: 1\nposture: test\n' });
      rmSync(join(house.config, 'ca_ed25519'));
      makeCaKey(join(house.config, 'ca_ed25519'), 'ca-of-test');
      const early = await startDaemon({ house }).catch((error: unknown) => error);
      expect(early).toBeInstanceOf(DaemonEnded);
      expect((early as DaemonEnded).stderr).toContain('is of posture dev, and the config says test');

      writeFileSync(join(house.folder, 'good.yaml'), EXAMPLE);
      const shown = atTerminal(
        `posture promote --state ${house.state} --to test good.yaml ${SIGNED} --record`,
        ['test-ci'],
        house.folder,
      );
      expect(shown).toMatch(/exit 0\s*$/);

      const promoted = await startDaemon({ house });
      const line = await promoted.waitForLog(({ msg }) => msg === 'posture promoted');
      expect(line).toMatchObject({ from: 'dev', to: 'test', environment: 'test-ci', signed_off_by: 'A.Steward' });
      const status = json(
        await warden(['status', '--json'], { cwd: house.folder, env: { WARDEN_SOCKET: promoted.socket } }),
      );
      expect(status.posture).toBe('test');
      await promoted.stop();

      // And no way back.
      writeConfig(house, {});
      expect(await startDaemon({ house }).catch((error: unknown) => error)).toBeInstanceOf(DaemonEnded);
    } finally {
      house.remove();
    }
  });
});
