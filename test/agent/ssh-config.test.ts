import {
  chmodSync,
  existsSync,
  lstatSync,
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
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withInclude, withoutInclude } from '../../client/ssh-config/include-block.ts';
import { includable, renderSshConfig } from '../../client/ssh-config/render.ts';
import type { Host } from '../../src/rpc/generated/warden/v1/warden.ts';
import { publishedKeys } from '../login/support/sign.ts';
import { type CliResult, json, warden } from '../support/cli.ts';
import { plainInventory, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { LOGIN_USER, Sshd } from '../support/sshd.ts';
import { startWardenAgent } from './support/agent-process.ts';
import { run } from './support/run.ts';

const HOSTS = `hosts:
  - { name: bastion-1, addresses: [127.0.0.1, bastion-1.example.net], purpose: "jump host", host_certificate: { principals: [bastion-1.example.net], callers: [{ uid: ${process.getuid?.() ?? 0} }] } }
  - { name: plain-2 }
`;

let daemon: RunningDaemon;
let home: string;
beforeAll(async () => {
  daemon = await startDaemon({ inventory: `${plainInventory()}${HOSTS}` });
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'warden-ssh-config-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const sshConfig = (...args: string[]): Promise<CliResult> =>
  warden(['ssh-config', ...args], {
    cwd: home,
    env: { WARDEN_SOCKET: daemon.socket, XDG_RUNTIME_DIR: join(home, 'run') },
  });
const at = (...names: string[]): string => join(home, '.ssh', ...names);
const mode = (path: string): number => statSync(path).mode & 0o777;
/** What ssh makes of it for one host. */
async function effective(host: string): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await run('ssh', ['-F', at('config'), '-G', host], {});
  if (code !== 0) throw new Error(stderr);
  return Object.fromEntries(stdout.split('\n').map((line) => [line.split(' ')[0], line.slice(line.indexOf(' ') + 1)]));
}
function config(text: string, bits = 0o600): void {
  mkdirSync(at(), { mode: 0o700 });
  writeFileSync(at('config'), text, { mode: bits });
  chmodSync(at('config'), bits);
}

describe('$ warden ssh-config', () => {
  test('shows the file and writes nothing', async () => {
    const result = await sshConfig();
    expect(result.code).toBe(0);
    expect(result.stdout).toContain(
      '# bastion-1: jump host\nHost bastion-1\n  HostName 127.0.0.1\nHost bastion-1 127.0.0.1 bastion-1.example.net\n  HostKeyAlias bastion-1.example.net\n',
    );
    expect(result.stderr).toContain(`nothing is written: --write puts this into ${at('warden_config')}`);
    expect(existsSync(at())).toBe(false);
    expect(json(await sshConfig('--json'))).toMatchObject({ config: at('config'), text: result.stdout });
  });

  test('--write is what ssh reads: address, agent, name and authorities of the host', async () => {
    const result = await sshConfig('--write');
    expect(result).toMatchObject({
      code: 0,
      stderr: '',
      stdout: `wrote ${at('warden_known_hosts')}\nwrote ${at('warden_config')}\nwrote ${at('config')}\n`,
    });
    expect([mode(at()), mode(at('config')), mode(at('warden_config'))]).toEqual([0o700, 0o600, 0o600]);
    const agent = join(home, 'run', 'warden', 'agent.sock');
    expect(await effective('bastion-1')).toMatchObject({
      hostname: '127.0.0.1',
      identityagent: agent,
      identitiesonly: 'no',
      hostkeyalias: 'bastion-1.example.net',
      userknownhostsfile: expect.stringContaining(at('warden_known_hosts')),
    });
    expect(await effective('bastion-1.example.net')).toMatchObject({
      hostname: 'bastion-1.example.net',
      identityagent: agent,
    });
    const plain = await effective('plain-2');
    expect(plain).toMatchObject({ hostname: 'plain-2', identityagent: agent });
    expect(plain).not.toHaveProperty('hostkeyalias');
    const spaced = join(home, 'run dir 100%', 'agent.sock');
    await sshConfig('--write', '--listen', spaced);
    expect(await effective('bastion-1')).toMatchObject({ identityagent: spaced });
    expect(await effective('elsewhere')).not.toHaveProperty('identityagent');
    expect(readFileSync(at('warden_known_hosts'), 'utf8')).toMatch(
      /^@cert-authority bastion-1\.example\.net ssh-ed25519 /,
    );
  });

  test('a second --write changes nothing; --uninstall leaves no file that was not there', async () => {
    await sshConfig('--write');
    expect(await sshConfig('--write')).toMatchObject({ code: 0, stdout: 'nothing to do\n' });
    expect((await sshConfig('--uninstall')).code).toBe(0);
    expect(['config', 'warden_config', 'warden_known_hosts'].filter((name) => existsSync(at(name)))).toEqual([]);
    expect(await sshConfig('--uninstall')).toMatchObject({ code: 0, stdout: 'nothing to do\n' });
  });

  test("the user's own settings stay, byte for byte, and hold beside ours", async () => {
    const mine = 'Host bastion-1\n\tUser deploy\n  Port 2222 # ÿ umlaut\r\n\nHost *\n  IdentitiesOnly yes';
    config(mine, 0o640);
    await sshConfig('--write');
    expect(await effective('bastion-1')).toMatchObject({
      user: 'deploy',
      port: '2222',
      hostname: '127.0.0.1',
      identitiesonly: 'no',
    });
    expect(await effective('elsewhere')).toMatchObject({ identitiesonly: 'yes' });
    expect([mode(at('config')), readFileSync(at('config'), 'utf8').endsWith(mine)]).toEqual([0o640, true]);
    await sshConfig('--uninstall');
    expect([mode(at('config')), readFileSync(at('config'), 'utf8')]).toEqual([0o640, mine]);
  });

  test('a link into dotfiles stays a link', async () => {
    mkdirSync(join(home, 'dotfiles'));
    mkdirSync(at(), { mode: 0o700 });
    writeFileSync(join(home, 'dotfiles', 'ssh'), 'Host x\n', { mode: 0o600 });
    symlinkSync('../dotfiles/ssh', at('config'));
    await sshConfig('--write');
    expect(lstatSync(at('config')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(home, 'dotfiles', 'ssh'), 'utf8')).toMatch(
      /^# begin warden ssh-config .*\nInclude .*\n# end warden ssh-config\nHost x\n$/,
    );
    await sshConfig('--uninstall');
    expect(readFileSync(join(home, 'dotfiles', 'ssh'), 'utf8')).toBe('Host x\n');
  });

  test.each<[string, () => void, string]>([
    ['that others can write to', () => config('', 0o666), 'can be changed by other users'],
    ['that is a folder', () => mkdirSync(at('config'), { recursive: true }), 'is no file'],
    [
      'that is a link to nowhere',
      () => {
        mkdirSync(at());
        symlinkSync('gone', at('config'));
      },
      'leads nowhere',
    ],
    ['with half a block of ours', () => config('# begin warden ssh-config\nInclude x\n'), 'has no end'],
  ])('a config %s is left alone', async (_name, make, message) => {
    make();
    const result = await sshConfig('--write');
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    expect(existsSync(at('warden_config'))).toBe(false);
  });

  test('ssh bastion-1 logs in to a host that its certificate vouches for, and says why where it cannot', async () => {
    const hostCertificate = join(home, 'host-cert.pub');
    const host = await Sshd.make({
      trusts: await publishedKeys(daemon.socket),
      principals: ['tester'],
      config: [`HostCertificate ${hostCertificate}`],
    });
    const sshd = await host.listen();
    const socket = join(home, 'run', 'warden', 'agent.sock');
    const agent = await startWardenAgent(daemon, { socket });
    try {
      config(
        `Host bastion-1\n  StrictHostKeyChecking yes\n  Port ${sshd.port}\n  User ${LOGIN_USER}\n  IdentityFile none\n  BatchMode yes\n`,
      );
      await sshConfig('--write');
      const hostKey = join(home, 'host.pub');
      writeFileSync(hostKey, readFileSync(sshd.knownHosts, 'utf8').split(' ').slice(1).join(' '));
      const certified = await warden(['host-cert', 'bastion-1', '--pubkey', hostKey, '--out', hostCertificate], {
        env: { WARDEN_SOCKET: daemon.socket },
      });
      expect(certified).toMatchObject({ code: 0, stderr: '' });
      const words = ['-F', at('config'), 'bastion-1', 'echo in'];
      expect(await run('ssh', words, { HOME: home })).toMatchObject({ code: 0, stdout: 'in\n', stderr: '' });
      // The host showed its certificate, and the agent took it for the host that the session is bound to.
      const [, fingerprint] = (await run('ssh-keygen', ['-l', '-f', hostKey], {})).stdout.split(' ');
      expect(await agent.heard('on the host with key')).toContain(`with key ${fingerprint}, for ssh`);
      await agent.stop();
      // Within `warden agent -- COMMAND` the agent of that command is the one.
      const own = await warden(['agent', '--actor', 'adm-tester', '--', 'ssh', ...words], {
        cwd: home,
        env: { WARDEN_SOCKET: daemon.socket, XDG_RUNTIME_DIR: join(home, 'run') },
      });
      expect(own).toMatchObject({ code: 0, stdout: 'in\n' });
      const without = await run('ssh', words, { HOME: home });
      expect(without.code).toBe(255);
      expect(without.stderr).toContain(`warden: unreachable: no warden agent at ${socket}`);
      const refused = await startWardenAgent(daemon, { socket, args: ['--actor', 'agt-foreign'] });
      const no = await run('ssh', words, { HOME: home });
      await refused.stop();
      expect(no.stderr).toMatch(/warden: refused: agt-foreign: .*\n {2}why: caller_not_allowed · ledger \d+\n/);
    } finally {
      await agent.stop();
      await sshd.close();
      host.remove();
    }
  });
});

describe('what is written', () => {
  const PLACES = {
    agentSocket: '/run/user/1/warden/agent.sock',
    knownHosts: '/home/u/.ssh/k',
    warden: '/usr/bin/warden',
  };
  const hostOf = (more: Partial<Host>): Host => ({
    name: 'h',
    addresses: [],
    purpose: '',
    principals: [],
    ttlSeconds: 0n,
    usable: false,
    ...more,
  });

  test.each<[string, Partial<Host>]>([
    ['a name with a line end', { name: 'h\nProxyCommand touch /tmp/x' }],
    ['a pattern as a name', { name: '*' }],
    ['a negated name', { name: '!h' }],
    ['an option as a name', { name: '-oProxyCommand=x' }],
    ['an address with a space', { addresses: ['10.0.0.1 *'] }],
    ['an address that is a pattern', { addresses: ['10.0.0.?'] }],
    ['a vouched name that is a pattern', { principals: ['*'] }],
    ['an address with a quote', { addresses: ['"'] }],
  ])('never holds %s', (_name, more) => {
    expect(() => renderSshConfig([hostOf(more)], PLACES)).toThrow('ssh_config would read as something else');
  });

  test('keeps a purpose on its line, whatever it holds', () => {
    const text = renderSshConfig([hostOf({ purpose: 'a\nProxyCommand x\u202e' })], PLACES);
    expect(text).toContain('# h: a ProxyCommand x?\n\n#');
  });

  test('quotes a path with spaces and percent signs, and refuses what ssh would expand or end', () => {
    expect(renderSshConfig([hostOf({})], { ...PLACES, agentSocket: '/run/a b%c' })).toContain(
      'IdentityAgent "/run/a b%%c"',
    );
    for (const agentSocket of ['/run/a"b', '/run/$HOME', '/run/a\nb', '/run/`x`', '/run/a\\b']) {
      expect(() => renderSshConfig([hostOf({})], { ...PLACES, agentSocket })).toThrow('ssh_config cannot hold');
    }
    expect(() => includable('/home/u*/x')).toThrow('ssh_config cannot include');
  });

  test('whatever the config held, it is there again afterwards', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        fc.pre(!text.includes('# begin warden'));
        const once = withInclude(text, '/home/u/.ssh/warden_config');
        expect(withInclude(once, '/home/u/.ssh/warden_config')).toBe(once);
        expect(withoutInclude(once)).toBe(text);
      }),
    );
  });

  test('a file that was not there is not there again, unless someone has written into it', () => {
    const made = withInclude(null, '/x');
    expect(withInclude(made, '/x')).toBe(made);
    expect(withoutInclude(made)).toBeNull();
    expect(withoutInclude(`${made}Host mine\n`)).toBe('Host mine\n');
  });
});
