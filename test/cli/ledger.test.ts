import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { DaemonEnded, type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon;
let home: string;

const run = (args: string, options: CliOptions = {}) =>
  warden(args.split(' '), { cwd: home, ...options, env: { WARDEN_SOCKET: daemon.socket, ...options.env } });
const records = (text: string): Record<string, unknown>[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(async () => {
  daemon = await startDaemon();
  home = mkdtempSync(join(tmpdir(), 'warden-ledger-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, 'key')]);
  await run('sign agt-test --pubkey key.pub --reason first');
  await run('sign agt-test --pubkey key.pub --ttl 999');
  await run('sign adm-tester --pubkey key.pub --ticket T-9');
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
  rmSync(home, { recursive: true, force: true });
});

describe('$ warden ledger query', () => {
  test.each([
    ['by actor', '--actor agt-test', ['ok', 'refused']],
    ['by outcome', '--outcome refused', ['refused']],
    ['by reason', '--reason ttl_out_of_bounds', ['refused']],
    ['by kind', '--kind start', ['ok']],
    ['by time', '--since 1h --kind sign', ['ok', 'refused', 'ok']],
    ['before a time', '--until 2020-01-01T00:00:00Z', []],
    ['the last ones only', '--kind sign --limit 1', ['ok']],
  ])('%s gives the same with and without the daemon', async (_name, filter, outcomes) => {
    const online = await run(`ledger query ${filter} --json`);
    const offline = await run(`ledger query ${filter} --json --state ${daemon.state}`);
    expect(online).toMatchObject({ code: 0, stderr: '' });
    expect(records(online.stdout).map(({ outcome }) => outcome)).toEqual(outcomes);
    expect(offline).toEqual(online);
  });

  test('for a person it is one line a record', async () => {
    const { stdout } = await run('ledger query --actor adm-tester');
    expect(stdout).toMatch(
      /^ +\d+ {2}\d{4}-\S+Z {2}sign ok adm-tester · tester · serial \d+ · ticket T-9 · uid \d+ \S+\n$/,
    );
    expect((await run('ledger query --actor agt-nobody')).stdout).toBe('no record matches\n');
  });

  test.each([
    ['an outcome that is none', '--outcome maybe', '"maybe" is none'],
    ['a kind that is none', '--kind signed', '"signed" is none'],
    ['a time that is none', '--since yesterday', '"yesterday" is no time'],
    ['a limit of nothing', '--limit 0', 'no number from 1 to 10000'],
    ['a serial in hex', '--serial ff', 'is no decimal number'],
    ['a state folder that is not there', '--state /nonexistent', 'cannot read /nonexistent: there is no such file'],
  ])('%s is a usage error', async (_name, args, message) => {
    const result = await run(`ledger query ${args}`);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain(message);
  });
});

describe('$ warden ledger tail', () => {
  test('shows the last records', async () => {
    const { stdout } = await run('ledger tail --lines 2');
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
    expect(stdout).toContain('refused agt-test · ttl_out_of_bounds');
  });

  test('--follow goes on with new ones', async () => {
    const child = spawn(
      process.execPath,
      [builtPrograms().warden, 'ledger', 'tail', '--follow', '--lines', '1', '--json'],
      {
        env: { PATH: process.env.PATH, WARDEN_SOCKET: daemon.socket },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => JSON.parse((await lines.next()).value as string) as Record<string, unknown>;
    const last = await next();
    await run('sign agt-test --pubkey key.pub --reason followed');
    expect(await next()).toMatchObject({ seq: Number(last.seq) + 1, user_reason: 'followed' });
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    await ended;
  });

  test('--follow ends once its reader has left', async () => {
    const tail = `"${process.execPath}" "${builtPrograms().warden}" ledger tail --follow --lines 1`;
    const child = spawn('bash', ['-c', `${tail} | head -1; echo "\${PIPESTATUS[0]}"`], {
      env: { PATH: process.env.PATH, WARDEN_SOCKET: daemon.socket },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toMatch(/ sign /);
    // The next record is the first that finds nobody there.
    const ended = lines.next();
    let over = false;
    ended.then(() => {
      over = true;
    });
    while (!over) await run('sign agt-test --pubkey key.pub');
    expect((await ended).value).toBe('0');
  });
});

describe('$ warden ledger export', () => {
  test('gives the bytes of the ledger, to stdout or into a new file of mode 0600', async () => {
    const file = join(home, 'out.jsonl');
    const { stdout } = await run(`ledger export --state ${daemon.state}`);
    expect(stdout).toBe(readFileSync(join(daemon.state, 'signatures.log'), 'utf8'));
    expect(await run(`ledger export --state ${daemon.state} --out ${file}`)).toMatchObject({ code: 0, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe(stdout);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const again = await run(`ledger export --state ${daemon.state} --out ${file}`);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('it exists already') });
  });

  test('--format csv has a header and the fields asked for', async () => {
    const { stdout } = await run(
      `ledger export --state ${daemon.state} --format csv --fields seq,kind,actor --kind sign`,
    );
    expect(stdout.split('\r\n').slice(0, 2)).toEqual(['seq,kind,actor', expect.stringMatching(/^\d+,sign,agt-test$/)]);
  });
});

describe('$ warden ledger verify', () => {
  function copyOf(change: (log: string) => string): string {
    const state = mkdtempSync(join(home, 'state-'));
    cpSync(daemon.state, state, { recursive: true });
    const log = join(state, 'signatures.log');
    writeFileSync(log, change(readFileSync(log, 'utf8')));
    return state;
  }

  test('a live ledger is whole: code 0', async () => {
    const result = await run(`ledger verify --state ${daemon.state}`);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toMatch(/whole: \d+ records, 1 to \d+, chain and signatures hold\n$/);
    expect(json(await run(`ledger verify --state ${daemon.state} --json`))).toMatchObject({
      conforms: true,
      findings: [],
    });
  });

  test.each<[string, (log: string) => string, RegExp]>([
    [
      'a changed byte',
      (log) => log.replace('"user_reason":"first"', '"user_reason":"worst"'),
      /broken: signatures\.log:2: /,
    ],
    ['a removed line', (log) => log.replace(/^(.*\n)(.*\n)/, '$1'), /broken: signatures\.log:2: /],
    ['two swapped lines', (log) => log.replace(/^(.*\n)(.*\n)(.*\n)/, '$1$3$2'), /broken: signatures\.log:2: /],
    ['a cut tail', (log) => log.replace(/.*\n$/, ''), /broken: signatures\.log.*tail is cut/],
  ])('%s is named, with code 1', async (_name, change, finding) => {
    const result = await run(`ledger verify --state ${copyOf(change)}`);
    expect(result).toMatchObject({ code: 1, stderr: '' });
    expect(result.stdout).toMatch(finding);
  });

  test('a broken ledger is broken behind a reader that left, too: code 1', () => {
    const state = copyOf((log) => log.replace('"user_reason":"first"', '"user_reason":"worst"'));
    const verify = `"${process.execPath}" "${builtPrograms().warden}" ledger verify --state "${state}"`;
    // The reader is gone before the first byte is written.
    const done = spawnSync('bash', ['-c', `{ sleep 0.5; ${verify}; } | true; echo "\${PIPESTATUS[0]}"`], {
      encoding: 'utf8',
    });
    expect(done).toMatchObject({ status: 0, stdout: '1\n', stderr: '' });
  });

  test('of the daemon whose socket is named, where no folder is', async () => {
    expect(json(await run('ledger verify --json'))).toMatchObject({ conforms: true, folder: daemon.state });
  });

  test.each(['verify', 'query', 'export'])('%s of a file that cannot be read is unusable: code 2', async (verb) => {
    const state = copyOf((log) => log);
    mkdirSync(join(state, 'signatures-000000000009.log'));
    const result = await run(`ledger ${verb} --state ${state}`);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(`cannot read the ledger in ${state}: it is a folder\n`);
  });

  test('a folder without a ledger is unusable: code 2', async () => {
    expect(await run(`ledger verify --state ${home}`)).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('there is no ledger in'),
    });
  });
});

describe('$ warden ledger accept', () => {
  test('refuses while a daemon works there, and without a reason', async () => {
    const busy = await run(`ledger accept --state ${daemon.state} --reason x`);
    expect(busy).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`a wardend (pid ${daemon.pid}) works in ${daemon.state}`),
    });
    expect(await run(`ledger accept --state ${daemon.state}`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--reason TEXT'),
    });
  });

  test('a broken ledger keeps the daemon from starting until the break is accepted, and the break stays visible', async () => {
    const other = await startDaemon();
    const { house } = other;
    const here = (args: string) => run(`${args} --socket ${house.socket}`);
    await here('sign agt-test --pubkey key.pub');
    await other.stop();
    const log = join(house.state, 'signatures.log');
    writeFileSync(log, readFileSync(log, 'utf8').replace('"actor":"agt-test"', '"actor":"agt-pest"'));
    const refusal = await startDaemon({ house }).then(
      () => null,
      (error: unknown) => error,
    );
    expect(refusal).toBeInstanceOf(DaemonEnded);
    expect(refusal).toMatchObject({ code: 4, stderr: expect.stringMatching(/ledger_broken/) });

    const accepted = await here(`ledger accept --state ${house.state} --reason drill`);
    expect(accepted).toMatchObject({ code: 0, stderr: '' });
    expect(accepted.stdout).toMatch(/^accepted: signatures\.log/);
    const again = await startDaemon({ house });
    expect((await here('status')).code).toBe(0);
    const verified = await here(`ledger verify --state ${house.state}`);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringMatching(/\(accepted\)/) });
    expect(await here(`ledger query --kind recovered`)).toMatchObject({ stdout: expect.stringContaining('drill') });
    await again.stop();
    house.remove();
  });

  test('a state folder put back from a copy is noticed, named and can be accepted', async () => {
    const other = await startDaemon();
    const { house } = other;
    const here = (args: string) => run(`${args} --socket ${house.socket}`);
    await other.stop();
    const copy = join(home, 'copy');
    cpSync(house.state, copy, { recursive: true });
    const second = await startDaemon({ house });
    await here('sign agt-test --pubkey key.pub');
    await second.stop();
    rmSync(house.state, { recursive: true });
    cpSync(copy, house.state, { recursive: true });
    // Node 24's copy does not keep a folder's mode.
    chmodSync(house.state, 0o700);
    const refusal = await startDaemon({ house }).then(
      () => null,
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({ code: 4, stderr: expect.stringMatching(/state_rolled_back/) });
    expect((await here(`ledger verify --state ${house.state}`)).code).toBe(1);
    expect((await here(`ledger accept --state ${house.state} --reason restored`)).code).toBe(0);
    const again = await startDaemon({ house });
    expect((await here('sign agt-test --pubkey key.pub')).code).toBe(0);
    await again.stop();
    house.remove();
  });

  test('a whole ledger has nothing to accept', async () => {
    const other = await startDaemon();
    await other.stop();
    const result = await run(`ledger accept --state ${other.state} --reason x`);
    expect(result).toMatchObject({ code: 0, stdout: 'nothing to accept: the ledger is whole\n' });
    other.house.remove();
  });
});

describe('text of someone else', () => {
  test('control characters in a record do not reach the terminal', async () => {
    const state = mkdtempSync(join(home, 'hostile-'));
    cpSync(daemon.state, state, { recursive: true });
    const record = {
      v: 1,
      seq: 9,
      time: 'now',
      kind: 'sign',
      outcome: 'ok',
      actor: 'a\u001b[2Jb\u202ec\u009b',
      user_reason: 'x\r\ny',
    };
    appendFileSync(join(state, 'signatures.log'), `${JSON.stringify(record)}\n`);
    const human = await run(`ledger query --state ${state}`);
    expect(human.stdout).toContain('a?[2Jb?c?');
    const machine = await run(`ledger query --json --state ${state}`);
    const terminal = (format: string) =>
      execFileSync(
        'script',
        [
          '-qec',
          `"${process.execPath}" "${builtPrograms().warden}" ledger export --format ${format} --state ${state}`,
          '/dev/null',
        ],
        { encoding: 'utf8' },
      );
    for (const format of ['jsonl', 'csv']) expect(terminal(format)).toMatch(/^[\x20-\x7e…\r\n]*$/);
    for (const { stdout } of [human, machine]) expect(stdout).toMatch(/^[\x20-\x7e·\n]*$/);
    expect(records(machine.stdout).at(-1)).toMatchObject({ actor: record.actor });
  });
});
