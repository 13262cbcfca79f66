import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtPrograms } from '../support/built.ts';
import { makeCaKey } from '../support/ca-key.ts';
import { type CliOptions, json, warden } from '../support/cli.ts';
import { DEV_WARDEN, makeHouse, plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'warden-policy-'));
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, 'key')]);
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const at =
  (socket: string) =>
  (args: string, options: CliOptions = {}) =>
    warden(args.split(' '), { cwd: home, ...options, env: { WARDEN_SOCKET: socket, ...options.env } });

/** Runs `warden double flex-auth` and resolves with its address once it listens. */
async function double(
  args: readonly string[],
  config: string,
): Promise<{ child: ChildProcess; address: string; next: () => Promise<string> }> {
  const child = spawn(process.execPath, [builtPrograms().warden, 'double', 'flex-auth', '--config', config, ...args], {
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const next = async () => (await lines.next()).value as string;
  const first = await next();
  return { child, address: first.replace(/^.* on /, ''), next };
}

const ended = (child: ChildProcess): Promise<number | null> => new Promise((resolve) => child.once('close', resolve));

describe('a gate that a flex-auth double stands behind', () => {
  let daemon: RunningDaemon;
  let run: ReturnType<typeof at>;
  let flexAuth: Awaited<ReturnType<typeof double>>;

  beforeAll(async () => {
    const house = makeHouse();
    rmSync(join(house.config, 'ca_ed25519'));
    rmSync(join(house.config, 'ca_ed25519.pub'));
    makeCaKey(join(house.config, 'ca_ed25519'), 'ca-test');
    expect(
      (await warden(['registry', 'build', '--config', house.config, '--out', join(home, 'registry.json')])).code,
    ).toBe(0);
    const address = `unix://${join(home, 'flex-auth.sock')}`;
    flexAuth = await double(
      ['--addr', address, '--registry', join(home, 'registry.json'), '--log', join(home, 'decisions.jsonl')],
      house.config,
    );
    expect(flexAuth.address).toBe(address);
    const policy = `policy: { enabled: true, flex_auth_url: "${address}" }\n`;
    writeFileSync(join(house.config, 'warden.yaml'), `version: 1\nposture: test\n${policy}`);
    daemon = await startDaemon({ house });
    run = at(daemon.socket);
  });
  afterAll(async () => {
    await daemon?.stop();
    flexAuth?.child.kill();
    daemon?.house.remove();
  });

  test('sign shows the decision, and so do certificate and double alike', async () => {
    const result = await run('sign agt-test --pubkey key.pub --json');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const { policy_decision_id: id, key_id: keyId, policy_effect: effect } = json(result);
    expect(effect).toBe('allow');
    expect(id).toMatch(/^decision:[0-9a-f]{16}$/);
    expect(keyId).toMatch(new RegExp(`/${id}$`));
    expect(readFileSync(join(home, 'decisions.jsonl'), 'utf8')).toContain(String(id));
    expect((await run('sign agt-test --pubkey key.pub')).stdout).toMatch(
      /ledger \d+ · decision decision:[0-9a-f]{16} · request /,
    );
  });

  test('a denial carries the decision in its second line', async () => {
    const result = await run('sign agt-test --pubkey key.pub --ttl 999');
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(
      /\n {2}why: ttl_out_of_bounds · decision decision:[0-9a-f]{16} · ledger \d+ · request \S+\n/,
    );
  });

  test('WARDEN_POLICY_SUBJECT must be among the allowed subjects', async () => {
    const allowed = await run('sign agt-test --pubkey key.pub --json', {
      env: { WARDEN_POLICY_SUBJECT: 'iam:agt-test' },
    });
    expect(allowed.code).toBe(0);
    const refused = await run('sign agt-test --pubkey key.pub --json', {
      env: { WARDEN_POLICY_SUBJECT: 'iam:mallory' },
    });
    expect(refused.code).toBe(1);
    expect(json(refused)).toMatchObject({ error: { reason: 'unknown_subject' } });
  });

  test('explain asks only with --ask', async () => {
    const asked = () => readFileSync(join(home, 'decisions.jsonl'), 'utf8').split('\n').length;
    const before = asked();
    const shown = await run('explain sign agt-test --pubkey key.pub --ttl 37m');
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toMatch(/\n {2}\?\? {2}policy/);
    expect(asked()).toBe(before);
    const real = await run('explain sign agt-test --pubkey key.pub --ttl 37m --ask');
    expect(real.stdout).toMatch(/\nallowed\n {2}why: decision decision:[0-9a-f]{16} · ledger \d+ · request /);
    expect(asked()).toBe(before + 1);
  });

  test('smoke policy gets one allow and one deny, as evidence of eight fields', async () => {
    const result = await run('smoke policy --actor agt-test --evidence evidence.jsonl');
    expect(result).toMatchObject({ code: 0, stderr: 'as expected: one allow, one deny\n' });
    expect(readFileSync(join(home, 'evidence.jsonl'), 'utf8')).toBe(result.stdout);
    const checks = result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const check of checks) {
      expect(Object.keys(check)).toEqual([
        'actor',
        'policy_decision_id',
        'effect',
        'reason',
        'backend',
        'certificate_issued',
        'smoke_id',
        'time',
      ]);
    }
    expect(checks).toMatchObject([
      { actor: 'agt-test', effect: 'allow', reason: 'signing_policy_matched', certificate_issued: true },
      { actor: 'agt-test', effect: 'deny', reason: 'ttl_out_of_bounds', certificate_issued: false },
    ]);
  });

  test('smoke policy is not as expected where the deny is none', async () => {
    const result = await run('smoke policy --actor agt-test --deny-ttl 1h');
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/^not as expected: /);
  });

  test('SIGHUP makes the double read its registry again', async () => {
    flexAuth.child.kill('SIGHUP');
    expect(await flexAuth.next()).toBe('registry read again');
  });

  test('with the double gone the gate is closed: code 4, and a status that says so', async () => {
    const gone = ended(flexAuth.child);
    flexAuth.child.kill('SIGTERM');
    expect(await gone).toBe(0);
    const result = await run('sign agt-test --pubkey key.pub --ttl 11m');
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr).toMatch(/^warden: unavailable: .*\n {2}why: policy_unavailable · ledger \d+ · request /);
  });
});

describe('a decision point that allows everything', () => {
  test.each([
    ['flex-auth', { effect: 'allow', id: 'decision:all', reason: 'signing_policy_matched' }, 'signing_policy_matched'],
    ['authzen', { decision: true, context: { id: 'decision:all' } }, ''],
  ])(
    'is found out by smoke policy over %s: the local ceiling is no deny of the gate',
    async (protocol, answer, reason) => {
      const server = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const house = makeHouse({
        warden: `version: 1\nposture: test\npolicy: { enabled: true, protocol: ${protocol}, flex_auth_url: "${url}", health_path: /up }\n`,
      });
      for (const name of ['ca_ed25519', 'ca_ed25519.pub']) rmSync(join(house.config, name));
      makeCaKey(join(house.config, 'ca_ed25519'), 'ca-test');
      const daemon = await startDaemon({ house });
      const result = await at(daemon.socket)('smoke policy --actor agt-test');
      await daemon.stop();
      server.close();
      house.remove();
      expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('deny check: the effect is allow') });
      const evidence = result.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown);
      expect(evidence.at(-1)).toMatchObject({
        policy_decision_id: 'decision:all',
        effect: 'allow',
        reason,
        certificate_issued: false,
      });
    },
  );
});

describe('where there is no gate', () => {
  test('smoke policy is unusable: code 2', async () => {
    const daemon = await startDaemon();
    expect(await at(daemon.socket)('smoke policy')).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('the gate is off'),
    });
    await daemon.stop();
    daemon.house.remove();
  });
});

describe('$ warden double flex-auth', () => {
  const files = (warden: string): string => {
    const folder = mkdtempSync(join(home, 'config-'));
    writeFileSync(join(folder, 'warden.yaml'), warden, { mode: 0o600 });
    writeFileSync(join(folder, 'inventory.yaml'), plainInventory(), { mode: 0o600 });
    return folder;
  };

  test.each([
    ['in prod', 'version: 1\nposture: prod\n', 1, 'posture_forbids'],
    ['under a config whose posture cannot be told', 'version: 1\n', 2, 'config_invalid'],
  ])('refuses %s', async (_name, text, code, reason) => {
    const args = ['double', 'flex-auth', '--config', files(text), '--registry', 'none.json', '--json'];
    const result = await warden(args, { cwd: home });
    expect(result).toMatchObject({ code, stderr: '' });
    expect(json(result)).toMatchObject({ error: { reason } });
  });

  test.each([
    ['without a registry', [], 'needs --registry FILE'],
    [
      'with an address that is none',
      ['--registry', 'none.json', '--addr', 'here'],
      'the address to listen on cannot be read',
    ],
  ])('%s is a usage error', async (_name, more, message) => {
    const result = await warden(['double', 'flex-auth', '--config', files(DEV_WARDEN), ...more], { cwd: home });
    expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  });
});
