import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningAgent, startAgent } from '../signing/support/agent.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { testKey } from '../support/ssh-keys.ts';
import { Sshd } from '../support/sshd.ts';
import { accepted } from './support/accepted.ts';
import { readCertificate } from './support/read-certificate.ts';
import { publishedKeys, sign } from './support/sign.ts';
import { makeSubject, type Subject } from './support/subjects.ts';

const INVENTORY = `version: 1
actors:
  - { name: adm-person, type: adm, principals: [deploy] }
  - { name: agt-plain, type: agt, principals: [deploy] }
  - { name: agt-terminal, type: agt, principals: [deploy], options: { extensions: [permit-pty] } }
  - { name: agt-forwarder, type: agt, principals: [deploy], options: { extensions: [permit-port-forwarding] } }
  - { name: agt-near, type: agt, principals: [deploy], options: { source-address: 127.0.0.1/32 } }
  - { name: agt-far, type: agt, principals: [deploy], options: { source-address: 10.0.0.0/8 } }
  - { name: agt-list, type: agt, principals: [deploy], options: { source-address: "10.0.0.0/8,fd00::/8,127.0.0.0/8" } }
  - name: atm-forced
    type: atm
    principals: [deploy]
    options: { force-command: 'echo "instead of: $SSH_ORIGINAL_COMMAND"', extensions: [permit-pty] }
  - name: atm-both
    type: atm
    principals: [deploy]
    options: { force-command: /bin/true, source-address: 10.0.0.0/8, extensions: [permit-X11-forwarding, permit-user-rc] }
  - { name: agt-stranger, type: agt, principals: [stranger] }
  - { name: agt-many, type: agt, principals: [first, deploy, last] }
`;

interface Row {
  readonly name: string;
  readonly actor: string;
  /** Options of warden sign. */
  readonly sign?: readonly string[];
  readonly principals?: readonly string[];
  readonly critical?: readonly string[];
  readonly extensions?: readonly string[];
  /** GREETER stands for the port of a server that says hello. */
  readonly ssh?: readonly string[];
  readonly command?: string;
  readonly code: number;
  readonly stdout: string | RegExp;
  readonly stderr: string | RegExp;
  /** A line of sshd's log. */
  readonly log: RegExp;
}

const REFUSED = { code: 255, stdout: '', stderr: /^\S+@127\.0\.0\.1: Permission denied \(publickey\)\.\n$/ };
const ADM = ['permit-agent-forwarding', 'permit-port-forwarding', 'permit-pty'];
const SAYS_AGENT = 'test -S "$SSH_AUTH_SOCK" && echo agent || echo no agent';
const ELSEWHERE =
  /^cert: Authentication tried for \S+ with valid certificate but not from a permitted source address \(127\.0\.0\.1\)\.$/m;
const SESSION = /^Starting session: command for \S+ from 127\.0\.0\.1 /m;
const ON_TERMINAL = /^Starting session: command on pts\/\d+ for /m;

const rows: readonly Row[] = [
  {
    name: 'an agent runs a command with a certificate that permits nothing else',
    ...{ actor: 'agt-plain', command: 'exit 7' },
    ...{ code: 7, stdout: '', stderr: '', log: SESSION },
  },
  {
    name: 'without permit-pty there is no terminal',
    ...{ actor: 'agt-plain', ssh: ['-tt'], command: 'tty' },
    ...{ code: 255, stdout: '', stderr: /^PTY allocation request failed on channel 0\n/, log: SESSION },
  },
  {
    name: 'with permit-pty there is a terminal',
    ...{ actor: 'agt-terminal', extensions: ['permit-pty'], ssh: ['-tt'], command: 'tty' },
    ...{ code: 0, stdout: /^\/dev\/pts\/\d+\r\n$/, stderr: 'Connection to 127.0.0.1 closed.\n', log: ON_TERMINAL },
  },
  {
    name: 'an administrator has a terminal without asking',
    ...{ actor: 'adm-person', extensions: ADM, ssh: ['-tt'], command: 'tty' },
    ...{ code: 0, stdout: /^\/dev\/pts\/\d+\r\n$/, stderr: 'Connection to 127.0.0.1 closed.\n', log: ON_TERMINAL },
  },
  {
    name: 'without permit-port-forwarding no port is forwarded',
    ...{ actor: 'agt-terminal', extensions: ['permit-pty'], ssh: ['-W', '127.0.0.1:GREETER'] },
    ...{ code: 255, stdout: '', stderr: /^channel 0: open failed: administratively prohibited: / },
    log: /^refused local port forward: originator 127\.0\.0\.1 port \d+, target 127\.0\.0\.1 port \d+$/m,
  },
  {
    name: 'with permit-port-forwarding a port is forwarded',
    ...{ actor: 'agt-forwarder', extensions: ['permit-port-forwarding'], ssh: ['-W', '127.0.0.1:GREETER'] },
    ...{ code: 0, stdout: 'hello\n', stderr: '', log: /^Accepted certificate ID /m },
  },
  {
    name: 'without permit-agent-forwarding no agent is forwarded',
    ...{ actor: 'agt-plain', ssh: ['-A'], command: SAYS_AGENT },
    ...{ code: 0, stdout: 'no agent\n', stderr: '', log: SESSION },
  },
  {
    name: 'an administrator forwards an agent without asking',
    ...{ actor: 'adm-person', extensions: ADM, ssh: ['-A'], command: SAYS_AGENT },
    ...{ code: 0, stdout: 'agent\n', stderr: '', log: SESSION },
  },
  {
    name: 'source-address lets in from the address',
    ...{ actor: 'agt-near', critical: ['source-address 127.0.0.1/32'] },
    ...{ code: 0, stdout: 'ok\n', stderr: '', log: SESSION },
  },
  {
    name: 'source-address lets in from one of several blocks',
    ...{ actor: 'agt-list', critical: ['source-address 10.0.0.0/8,fd00::/8,127.0.0.0/8'] },
    ...{ code: 0, stdout: 'ok\n', stderr: '', log: SESSION },
  },
  {
    name: 'source-address refuses from elsewhere',
    ...{ actor: 'agt-far', critical: ['source-address 10.0.0.0/8'] },
    ...{ ...REFUSED, log: ELSEWHERE },
  },
  {
    name: 'force-command runs instead of what was asked for',
    ...{ actor: 'atm-forced', critical: ['force-command echo "instead of: $SSH_ORIGINAL_COMMAND"'] },
    ...{ extensions: ['permit-pty'], command: 'cat /etc/hostname; id' },
    ...{ code: 0, stdout: 'instead of: cat /etc/hostname; id\n', stderr: '' },
    log: /^Starting session: forced-command \(key-option\) 'echo "instead of: \$SSH_ORIGINAL_COMMAND"' for /m,
  },
  {
    name: 'force-command runs instead of a subsystem',
    ...{ actor: 'atm-forced', critical: ['force-command echo "instead of: $SSH_ORIGINAL_COMMAND"'] },
    ...{ extensions: ['permit-pty'], ssh: ['-s'], command: 'sftp' },
    ...{ code: 0, stdout: 'instead of: internal-sftp\n', stderr: '' },
    log: /^Starting session: forced-command \(key-option\) /m,
  },
  {
    name: 'all options together are read and hold',
    ...{ actor: 'atm-both', critical: ['force-command /bin/true', 'source-address 10.0.0.0/8'] },
    extensions: ['permit-X11-forwarding', 'permit-user-rc'],
    ...{ ...REFUSED, log: ELSEWHERE },
  },
  {
    name: 'a principal that the host does not list is refused',
    ...{ actor: 'agt-stranger', principals: ['stranger'] },
    ...{ ...REFUSED, log: /^Certificate does not contain an authorized principal$/m },
  },
  {
    name: 'one of several principals suffices',
    ...{ actor: 'agt-many', principals: ['first', 'deploy', 'last'] },
    ...{ code: 0, stdout: 'ok\n', stderr: '', log: SESSION },
  },
  {
    name: 'a certificate for fewer principals is good for those alone',
    ...{ actor: 'agt-many', sign: ['--principal', 'first', '--principal', 'last'], principals: ['first', 'last'] },
    ...{ ...REFUSED, log: /^Certificate does not contain an authorized principal$/m },
  },
];

let daemon: RunningDaemon;
let host: Sshd;
let subject: Subject;
let agent: RunningAgent;
let greeter: Server;

beforeAll(async () => {
  const ca = await testKey('ssh-ed25519', 'ca');
  subject = await makeSubject('ssh-ed25519', 'subject');
  daemon = await startDaemon({
    warden: `version: 1\nposture: test\nca: { key: "${ca.file}" }\n`,
    inventory: INVENTORY,
  });
  agent = await startAgent(join(daemon.house.folder, 'agent.sock'));
  greeter = createServer((socket) => socket.on('error', () => {}).end('hello\n'));
  await once(greeter.listen(0, '127.0.0.1'), 'listening');
  host = await Sshd.make({
    trusts: await publishedKeys(daemon.socket),
    principals: ['deploy'],
    config: ['Subsystem sftp internal-sftp'],
  });
});

afterAll(async () => {
  greeter?.close();
  await agent?.stop();
  await daemon?.stop();
  daemon?.house.remove();
  host?.remove();
});

describe.concurrent('sshd does what the certificate says', () => {
  test.each(rows.map((row) => [row.name, row] as const))('%s', async (_, row) => {
    const { certificate, evidence } = await sign(daemon.socket, row.actor, subject, row.sign);
    expect(await readCertificate(certificate)).toMatchObject({
      serial: evidence.serial,
      principals: row.principals ?? ['deploy'],
      criticalOptions: row.critical ?? [],
      extensions: row.extensions ?? [],
    });
    const { port } = greeter.address() as AddressInfo;
    const login = await host.login({
      key: subject.file,
      certificate,
      options: (row.ssh ?? []).map((option) => option.replace('GREETER', String(port))),
      env: { SSH_AUTH_SOCK: agent.socket },
      ...(row.command !== undefined && { command: row.command }),
    });
    const text = (wanted: string | RegExp) => (typeof wanted === 'string' ? wanted : expect.stringMatching(wanted));
    expect(login).toEqual({
      code: row.code,
      stdout: text(row.stdout),
      stderr: text(row.stderr),
      log: expect.stringMatching(row.log),
    });
    // Accepted or refused, sshd names the certificate that the ledger has.
    expect(login.log).toContain(
      ` ID ${evidence.key_id} (serial ${evidence.serial}) CA ED25519 ${evidence.ca_fingerprint}\n`,
    );
    expect(accepted(login.log) === null).toBe(row.stderr === REFUSED.stderr);
  });
});
