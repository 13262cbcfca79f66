import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Checkout, checkout, npmEnv } from '../support/checkout.ts';
import { shownCommands } from './console.ts';
import { Reader } from './reader.ts';
import type { Ran, Shell } from './shell.ts';

const run = promisify(execFile);
const text = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const commands = shownCommands(text).map(({ command }) => command.replace(/\s+#.*$/, ''));
const scripts = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>;
  }
).scripts;

/** What is not typed below, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'npm run demo':
    'sets up, which a running suite must not; what it then runs is `warden demo`, of test/cli/demo.test.ts',
  'npm test': 'is what runs this',
};
const INSTALL = 'npm pack && npm install -g ./wardend-*.tgz';

test('pitch and session are read within 30 lines', () => {
  expect(text.slice(0, text.indexOf('\n```\n')).split('\n').length).toBeLessThanOrEqual(30);
});

test('npm run demo and npm test set up and then run what the page says', () => {
  expect(scripts.demo).toBe('node .ci/setup.mjs demo && node dist/warden.cjs demo');
  expect(scripts.pretest).toBe('node .ci/setup.mjs test');
  expect(scripts.test).toBe('tsc --noEmit && biome ci . && vitest run');
});

describe.runIf(process.getuid?.() === 0)('someone who follows README (needs root, to make a user)', () => {
  let sources: Checkout;
  let prefix: string;
  let reader: Reader;
  let shell: Shell;
  const typed = new Set<string>(Object.keys(ELSEWHERE));

  /** Types a command of the page, or one like it where a test cannot wait as a person does. */
  function type(command: string, instead = command): Promise<Ran> {
    expect(commands).toContain(command);
    typed.add(command);
    return shell.run(instead);
  }

  beforeAll(() => {
    sources = checkout();
    prefix = mkdtempSync(join(tmpdir(), 'warden-prefix-'));
    reader = new Reader();
    reader.folder('.ssh', 0o700);
  });
  afterAll(async () => {
    await reader?.leave();
    sources?.remove();
    rmSync(prefix, { recursive: true, force: true });
  });

  test(`$ ${INSTALL}`, { timeout: 240_000 }, async () => {
    expect(commands).toContain(INSTALL);
    typed.add(INSTALL);
    await run('bash', ['-c', `umask 022; ${INSTALL}; chmod 755 "$HOME"`], { cwd: sources.folder, env: npmEnv(prefix) });
    shell = reader.shell(join(prefix, 'prefix', 'bin'));
    expect(await shell.run('command -v warden wardend')).toEqual({
      code: 0,
      output: `${prefix}/prefix/bin/warden\n${prefix}/prefix/bin/wardend\n`,
    });
  });

  test('$ warden init writes the folder that the daemon reads', async () => {
    const { code, output } = await type('warden init --posture test');
    expect(output).toMatch(new RegExp(`^wrote ${reader.home}/\\.config/warden \\(posture test\\)\\n`));
    expect(code).toBe(0);
  });

  test('$ wardend & starts it', async () => {
    expect(await type('wardend &', 'wardend 2> wardend.log &')).toEqual({ code: 0, output: '' });
    expect(await shell.run('until warden status > status 2>&1; do sleep 0.1; done; head -1 status')).toEqual({
      code: 0,
      output: expect.stringMatching(/^wardend \S+ · test · user mode · pid \d+, since .*\n$/),
    });
  });

  test('$ warden sign puts the certificate where ssh looks for it', async () => {
    await shell.run("ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519");
    const { code, output } = await type('warden sign adm-$USER');
    expect(output).toMatch(
      new RegExp(`^certificate ${reader.home}/\\.ssh/id_ed25519-cert\\.pub\\n {2}for ada · 8h, until `),
    );
    expect(code).toBe(0);
  });

  test('$ warden ca --quiet prints what TrustedUserCAKeys takes', async () => {
    expect(await type('warden ca --quiet > warden_ca.pub')).toEqual({ code: 0, output: '' });
    expect(readFileSync(join(reader.home, 'warden_ca.pub'), 'utf8')).toMatch(/^ssh-ed25519 \S+ warden-ca-test-\S+\n$/);
  });

  test('$ ssh host logs in with it, to an sshd that trusts the CA and nothing else', async () => {
    await shell.run("ssh-keygen -q -t ed25519 -N '' -f host_key");
    const config = ['HostKey', 'TrustedUserCAKeys'].map(
      (setting, index) => `${setting} ${join(reader.home, ['host_key', 'warden_ca.pub'][index] ?? '')}`,
    );
    const more = [
      'AuthorizedKeysFile none',
      'AuthenticationMethods publickey',
      'UsePAM no',
      'StrictModes no',
      'PidFile none',
    ];
    reader.file('sshd_config', `${[...config, ...more].join('\n')}\n`);
    reader.file('.ssh/known_hosts', `host ${readFileSync(join(reader.home, 'host_key.pub'), 'utf8')}`);
    // The host is on this machine: a real sshd at the other end of a pipe.
    reader.file('.ssh/config', `Host host\n  ProxyCommand /usr/sbin/sshd -i -f ${reader.home}/sshd_config\n`);
    expect(await type('ssh host', 'ssh -o BatchMode=yes host id -un')).toEqual({ code: 0, output: 'ada\n' });
  });

  test('$ warden sign --ttl 999 is refused, with reason, mend and ledger number', async () => {
    const { code, output } = await type('warden sign adm-$USER --ttl 999');
    expect(output).toMatch(
      /^warden: refused: 999h is above the maximum of 24h for adm-ada\n {2}why: ttl_out_of_bounds · ledger \d+ · request \S+\n {2}do: ask for at most 24h; .*\n$/,
    );
    expect(code).toBe(1);
  });

  test('$ warden explain sign walks the steps and signs nothing', async () => {
    const issued = () => shell.run('warden status | grep -o "[0-9]* issued"');
    const before = await issued();
    const { code, output } = await type('warden explain sign adm-$USER');
    expect(output).toMatch(
      /^ {2}ok {2}caller .*\n {2}ok {2}key .*(?:\n {2}.*)+\n {2}ok {2}ledger {5}not written.*\nallowed\n/,
    );
    expect(code).toBe(0);
    expect(await issued()).toEqual(before);
  });

  test('$ warden ledger verify finds it whole', async () => {
    expect(await type('warden ledger verify')).toEqual({
      code: 0,
      output: expect.stringMatching(/^whole: \d+ records, 1 to \d+, chain and signatures hold\n$/),
    });
  });

  test('and that was every command of the page', () => {
    expect([...typed].sort()).toEqual([...commands].sort());
  });
});
