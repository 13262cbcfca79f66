import { chmodSync, lstatSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_FRAME } from '../../src/ssh/agent-numbers.ts';
import { parseCertificate } from '../../src/ssh/certificate.ts';
import { WireReader, WireWriter } from '../../src/ssh/wire.ts';
import { type RunningAgent, startAgent } from '../signing/support/agent.ts';
import { json, warden } from '../support/cli.ts';
import { plainInventory, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';
import { startWardenAgent, type WardenAgent } from './support/agent-process.ts';
import {
  bindMessage,
  extensionMessage,
  type HostIdentity,
  hostOf,
  lockMessage,
  loginData,
  signMessage,
} from './support/frames.ts';
import { exchange, RawClient } from './support/raw-client.ts';
import { run } from './support/run.ts';

const LIST = Buffer.of(11);
const FAILURE = Buffer.of(5);
const REFUSED_EXTENSION = Buffer.of(28);
const NOTHING = Buffer.of(12, 0, 0, 0, 0);
const SESSION = Buffer.alloc(32, 7);

let daemon: RunningDaemon;
let agent: WardenAgent;
let real: RunningAgent;
let folder: string;
let host: HostIdentity;
let other: HostIdentity;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warden-agent-'));
  daemon = await startDaemon();
  agent = await startWardenAgent(daemon);
  real = await startAgent(join(folder, 'real'));
  host = await hostOf();
  other = await hostOf();
});
afterAll(async () => {
  await agent?.stop();
  await real?.stop();
  await daemon?.stop();
  daemon?.house.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** For binds whose signature nobody comes to look at. */
function host0(): HostIdentity {
  return { blob: Buffer.alloc(51, 1), sign: () => Buffer.alloc(83, 2) };
}

/** The one certificate that is offered. */
async function offered(path = agent.socket): Promise<Buffer> {
  const [answer] = await exchange(path, [LIST]);
  const reader = new WireReader(answer ?? Buffer.alloc(0));
  expect([reader.uint8('type'), reader.uint32('count')]).toEqual([12, 1]);
  return Buffer.from(reader.string('blob'));
}

describe('the same messages to ssh-agent and to warden agent', () => {
  const blob = new WireWriter().string('ssh-ed25519').string(Buffer.alloc(32, 9)).finish();
  const login = loginData({ sessionId: SESSION, blob });
  const cases: readonly [string, () => readonly Buffer[]][] = [
    ['a signature by a key that is not there', () => [signMessage(blob, login)]],
    ['the removal of a key that is not there', () => [new WireWriter().uint8(18).string(blob).finish()]],
    ['the removal of all keys', () => [Buffer.of(19)]],
    ['a message of no known type', () => [Buffer.of(99), Buffer.of(1, 2, 3)]],
    ['the removal of all keys of protocol 1, which ssh-add -D sends along', () => [Buffer.of(9)]],
    ['an unlock where nothing is locked', () => [lockMessage(23, 'x')]],
    [
      'a lock, an unlock with another passphrase, a second lock, and the unlock',
      () => [
        lockMessage(22, 'pw'),
        LIST,
        signMessage(blob, login),
        extensionMessage('query'),
        lockMessage(23, 'no'),
        lockMessage(22, 'x'),
        lockMessage(23, 'pw'),
      ],
    ],
    ['a bind that the host signed, twice', () => [bindMessage(host, SESSION, false)]],
    [
      'a bind that forwards, then one that logs in',
      () => [bindMessage(host, SESSION, true), bindMessage(other, Buffer.alloc(32, 8), false)],
    ],
    ['a bind after a login', () => [bindMessage(host, SESSION, false), bindMessage(other, Buffer.alloc(32, 8), false)]],
    ['one session of two hosts', () => [bindMessage(host, SESSION, true), bindMessage(other, SESSION, true)]],
    ['the same bind again', () => [bindMessage(host, SESSION, true), bindMessage(host, SESSION, true)]],
    ['a bind that the host did not sign', () => [bindMessage(host, SESSION, false, Buffer.alloc(32, 8))]],
    ['an extension that nobody knows', () => [extensionMessage('nobody@example.net')]],
    ['a signature that is cut short', () => [signMessage(blob, login).subarray(0, 60)]],
  ];

  /** Both say no; since OpenSSH 9.3 or so there are two words for it where an extension is meant. */
  const meaning = (answer: Buffer | null): string | null =>
    answer?.equals(REFUSED_EXTENSION) ? '05' : (answer?.toString('hex') ?? null);

  test.each(cases)('get the same answers: %s', async (_name, messages) => {
    const [ours, theirs] = await Promise.all([agent.socket, real.socket].map((path) => exchange(path, messages())));
    expect(ours?.map(meaning)).toEqual(theirs?.map(meaning));
  });

  test.each([
    ['of no bytes', Buffer.alloc(8)],
    ['of more bytes than either takes', Buffer.from('0004000100000000', 'hex')],
    ['of four thousand million bytes', Buffer.from('ffffffff00000000', 'hex')],
  ])('are closed on both: a message %s', async (_name, bytes) => {
    for (const path of [agent.socket, real.socket]) {
      const client = new RawClient(path);
      client.raw(bytes);
      expect(await client.answer()).toBeNull();
    }
  });
});

describe('a bound connection', () => {
  const answerTo = async (...messages: Buffer[]): Promise<Buffer | null | undefined> =>
    (await exchange(agent.socket, messages)).at(-1);

  test('gets a signature over the login of its session', async () => {
    const blob = await offered();
    const data = loginData({ sessionId: SESSION, blob, hostKey: host.blob });
    const answer = await answerTo(bindMessage(host, SESSION, false), signMessage(blob, data));
    expect(answer?.[0]).toBe(14);
  });

  test.each<[string, (blob: Buffer) => Buffer[]]>([
    [
      'for another session',
      (blob) => [
        bindMessage(host, SESSION, false),
        signMessage(blob, loginData({ sessionId: Buffer.alloc(32, 1), blob })),
      ],
    ],
    [
      'on another host',
      (blob) => [
        bindMessage(host, SESSION, false),
        signMessage(blob, loginData({ sessionId: SESSION, blob, hostKey: other.blob })),
      ],
    ],
    [
      'with another key inside',
      (blob) => [
        bindMessage(host, SESSION, false),
        signMessage(blob, loginData({ sessionId: SESSION, blob: other.blob })),
      ],
    ],
    [
      'over a forwarded agent',
      (blob) => [
        bindMessage(host, SESSION, true),
        bindMessage(other, Buffer.alloc(32, 1), false),
        signMessage(blob, loginData({ sessionId: Buffer.alloc(32, 1), blob })),
      ],
    ],
    [
      'after a bind that the host did not sign',
      (blob) => [
        bindMessage(host, SESSION, false, other.blob),
        signMessage(blob, loginData({ sessionId: SESSION, blob })),
      ],
    ],
    ['of something that is no login', (blob) => [signMessage(blob, Buffer.from('a text'))]],
  ])('gets none %s', async (_name, messages) => {
    expect(await answerTo(...messages(await offered()))).toEqual(FAILURE);
  });

  test('from another host sees nothing, removes nothing and learns no reasons', async () => {
    const blob = await offered();
    const forwarded = bindMessage(host, SESSION, true);
    expect(await answerTo(forwarded, LIST)).toEqual(NOTHING);
    expect(await answerTo(forwarded, Buffer.of(19))).toEqual(FAILURE);
    expect(await answerTo(forwarded, new WireWriter().uint8(18).string(blob).finish())).toEqual(FAILURE);
    expect(await answerTo(forwarded, extensionMessage('status@wardend'))).toEqual(REFUSED_EXTENSION);
    expect(await offered()).toEqual(blob);
  });

  test('from another host neither locks the user out nor guesses at a lock of theirs', async () => {
    const forwarded = bindMessage(host, SESSION, true);
    expect(await answerTo(forwarded, lockMessage(22, 'theirs'))).toEqual(FAILURE);
    await offered();
    expect(await answerTo(lockMessage(22, 'ours'))).toEqual(Buffer.of(6));
    expect(await answerTo(forwarded, lockMessage(23, 'ours'))).toEqual(FAILURE);
    expect(await answerTo(lockMessage(23, 'ours'))).toEqual(Buffer.of(6));
  });

  test('that was bound while the agent was locked is no local one afterwards', async () => {
    const blob = await offered();
    expect(await answerTo(lockMessage(22, 'pw'))).toEqual(Buffer.of(6));
    const kept = new RawClient(agent.socket);
    expect(await kept.ask(bindMessage(host, SESSION, true))).toEqual(Buffer.of(6));
    expect(await kept.ask(LIST)).toEqual(NOTHING);
    expect(await answerTo(lockMessage(23, 'pw'))).toEqual(Buffer.of(6));
    expect(await kept.ask(LIST)).toEqual(NOTHING);
    expect(await kept.ask(signMessage(blob, loginData({ sessionId: Buffer.alloc(32, 1), blob })))).toEqual(FAILURE);
    kept.close();
  });

  test.each<[string, Buffer]>([
    ['is cut short', bindMessage(host0(), SESSION, true).subarray(0, -1)],
    ['is followed by something', Buffer.concat([bindMessage(host0(), SESSION, true), Buffer.of(0)])],
    ['names a session longer than any', bindMessage(host0(), Buffer.alloc(200, 7), true)],
  ])('gets nothing after a bind that %s', async (_name, bind) => {
    const blob = await offered();
    expect(await answerTo(bind)).toEqual(REFUSED_EXTENSION);
    expect(await answerTo(bind, LIST)).toEqual(NOTHING);
    expect(await answerTo(bind, signMessage(blob, loginData({ sessionId: SESSION, blob })))).toEqual(FAILURE);
  });
});

describe('warden agent', () => {
  test('says which extensions it has', async () => {
    const [answer] = await exchange(agent.socket, [extensionMessage('query')]);
    const reader = new WireReader(answer ?? Buffer.alloc(0));
    expect(reader.uint8('type')).toBe(29);
    const names: string[] = [];
    while (reader.remaining > 0) names.push(reader.utf8('name'));
    expect(names).toEqual(['query', 'query', 'session-bind@openssh.com', 'status@wardend']);
  });

  test('answers many messages at once in their order', async () => {
    const client = new RawClient(agent.socket);
    const messages = [LIST, Buffer.of(99), extensionMessage('query'), extensionMessage('x@y')];
    for (let i = 0; i < 50; i++) for (const message of messages) client.send(message);
    for (let i = 0; i < 50; i++) {
      for (const type of [12, 5, 29, 28]) expect((await client.answer())?.[0]).toBe(type);
    }
    client.close();
  });

  test('answers a lock without passphrase with a failure, where ssh-agent ends', async () => {
    expect(await exchange(agent.socket, [Buffer.of(22), LIST])).toEqual([FAILURE, expect.objectContaining({ 0: 12 })]);
  });

  test('takes a message of the greatest length', async () => {
    expect(await exchange(agent.socket, [Buffer.alloc(MAX_FRAME, 99)])).toEqual([FAILURE]);
  });

  test('outlives whatever is sent', async () => {
    const anything = fc.array(fc.uint8Array({ maxLength: 120 }), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(anything, fc.boolean(), async (pieces, framed) => {
        const client = new RawClient(agent.socket);
        for (const piece of pieces) {
          // A lock would stay, and make the next cases easier than they are.
          if (piece[0] === 22) continue;
          if (framed && piece.length > 0) client.send(piece);
          else client.raw(Buffer.concat([Buffer.of(0, 0, 0, 200), piece]));
        }
        client.close();
      }),
      { numRuns: 200 },
    );
    expect((await offered()).length).toBeGreaterThan(300);
  });

  test('refuses a connection too many, and takes others once one is closed', async () => {
    const clients = Array.from({ length: 256 }, () => new RawClient(agent.socket));
    for (const client of clients) expect(await client.ask(Buffer.of(99))).toEqual(FAILURE);
    expect(await exchange(agent.socket, [LIST])).toEqual([null]);
    for (const client of clients) client.close();
    await expect.poll(async () => (await exchange(agent.socket, [LIST]))[0]?.[0], { timeout: 20_000 }).toBe(12);
  });

  test('listens where only its user reaches it', () => {
    expect(statSync(agent.socket).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(agent.socket)).mode & 0o777).toBe(0o700);
  });

  test('refuses every other uid, root too', async () => {
    const place = mkdtempSync(join(tmpdir(), 'warden-agent-uid-'));
    chmodSync(place, 0o711);
    const uid = 4242;
    const { code } = await run('chown', [String(uid), place], {});
    expect(code).toBe(0);
    const theirs = await startWardenAgent(daemon, {
      through: ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'],
      socket: join(place, 's'),
      args: ['--actor', 'adm-tester'],
    });
    try {
      expect(await exchange(theirs.socket, [LIST])).toEqual([null]);
      expect(await theirs.heard('refused uid 0')).toContain(`this agent is uid ${uid}'s`);
    } finally {
      await theirs.stop();
      rmSync(place, { recursive: true, force: true });
    }
  });

  test('refuses a socket that an agent answers on, and replaces one that a dead one left', async () => {
    const again = await warden(['agent', '--actor', 'adm-tester', '--listen', agent.socket], {
      env: { WARDEN_SOCKET: daemon.socket },
    });
    expect(again).toMatchObject({
      code: 4,
      stderr: expect.stringMatching(
        new RegExp(
          `the socket ${agent.socket} is in use by the warden agent with pid ${agent.pid}\\n.*\\n {2}do: use that one, or .* --listen\\n`,
        ),
      ),
    });
    const killed = await startWardenAgent(daemon);
    await killed.stop('SIGKILL');
    expect(lstatSync(killed.socket).isSocket()).toBe(true);
    const next = await startWardenAgent(daemon, { socket: killed.socket });
    expect((await offered(next.socket)).length).toBeGreaterThan(300);
    expect(await next.stop()).toBe(0);
    expect(lstatSync(killed.socket, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('cannot be read by a debugger of the same user', () => {
    // The owner of a process that is not dumpable is root, in its folder under /proc.
    expect(statSync(`/proc/${agent.pid}/mem`).uid).toBe(0);
    expect(statSync(`/proc/${agent.pid}/environ`).uid).toBe(0);
  });
});

describe('what the daemon says', () => {
  test('a refusal is in the log and in the status, with the ledger number', async () => {
    const refused = await startWardenAgent(daemon, { args: ['--actor', 'agt-foreign'] });
    try {
      expect(await exchange(refused.socket, [LIST])).toEqual([NOTHING]);
      expect(await refused.heard('caller_not_allowed')).toMatch(
        /agt-foreign: refused: .*\(caller_not_allowed, ledger \d+\)/,
      );
      const status = await warden(['agent', '--status', '--listen', refused.socket]);
      expect(status).toMatchObject({ code: 1, stdout: '' });
      expect(status.stderr).toMatch(
        /^warden: refused: agt-foreign: .*\n {2}why: caller_not_allowed · ledger \d+\n {2}do: /,
      );
    } finally {
      await refused.stop();
    }
  });

  test('an actor that is taken away is not offered any more, without anyone asking for it', async () => {
    const mine = await startWardenAgent(daemon, { args: ['--actor', 'agt-test'] });
    try {
      const blob = await offered(mine.socket);
      writeConfig(daemon.house, { inventory: plainInventory().replace(/.*agt-test.*\n/, '') });
      expect(await mine.heard('would not issue it any more')).toContain('agt-test');
      expect(await exchange(mine.socket, [LIST])).toEqual([NOTHING]);
      const data = loginData({ sessionId: SESSION, blob });
      expect(await exchange(mine.socket, [signMessage(blob, data)])).toEqual([FAILURE]);
    } finally {
      await mine.stop();
      writeConfig(daemon.house, {});
      daemon.signal('SIGHUP');
    }
  });

  test.each([
    ['a lockdown', ['lockdown', '--reason', 'drill'], ['lockdown', '--lift'], 'locked_down'],
    [
      'the revocation of its actor',
      ['revoke', '--actor', 'agt-test', '--reason', 'drill'],
      ['revoke', '--lift', '--actor', 'agt-test'],
      'actor_revoked',
    ],
  ])(
    'after %s nothing is offered, without anyone asking for it, until it is lifted',
    async (_name, set, lift, reason) => {
      const mine = await startWardenAgent(daemon, { args: ['--actor', 'agt-test'] });
      const asAdministrator = async (words: readonly string[]): Promise<void> => {
        const { code, stderr } = await warden(words, { env: { WARDEN_SOCKET: daemon.socket } });
        expect([code, stderr]).toEqual([0, '']);
      };
      try {
        await offered(mine.socket);
        await asAdministrator(set);
        expect(await mine.heard('would not issue it any more')).toContain(reason);
        expect(await exchange(mine.socket, [LIST])).toEqual([NOTHING]);
        await asAdministrator(lift);
        // A refusal is held for two seconds, so that one login asks once.
        await expect
          .poll(async () => (await exchange(mine.socket, [LIST]))[0]?.equals(NOTHING), { timeout: 20_000 })
          .toBe(false);
      } finally {
        await mine.stop();
      }
    },
  );

  test('a certificate that is revoked is gone at once, and the next one is good', async () => {
    const mine = await startWardenAgent(daemon, { args: ['--actor', 'agt-test'] });
    try {
      const first = await offered(mine.socket);
      const { serial } = parseCertificate(first);
      const env = { WARDEN_SOCKET: daemon.socket };
      expect((await warden(['revoke', '--serial', String(serial)], { env })).code).toBe(0);
      expect(await mine.heard('is revoked')).toContain(String(serial));
      expect(await exchange(mine.socket, [signMessage(first, loginData({ sessionId: SESSION, blob: first }))])).toEqual(
        [FAILURE],
      );
      expect(parseCertificate(await offered(mine.socket)).serial).not.toBe(serial);
    } finally {
      await mine.stop();
    }
  });

  test('without a daemon it starts, says so, and asks again when something is needed', async () => {
    const away = join(folder, 'nowhere.sock');
    const lonely = await startWardenAgent(daemon, { args: [], env: { WARDEN_SOCKET: away } });
    try {
      expect(await lonely.heard('it is asked again')).toContain(`no daemon at ${away}`);
      expect(await exchange(lonely.socket, [LIST])).toEqual([NOTHING]);
    } finally {
      await lonely.stop();
    }
  });

  test('with several actors one must be named', async () => {
    const result = await warden(['agent', '--listen', join(folder, 'several')], {
      env: { WARDEN_SOCKET: daemon.socket },
    });
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/^warden: usage: which actor\? 2 actors admit you: adm-tester, agt-test\n/);
  });
});

test('the user unit is one that systemd takes', async () => {
  const unit = fileURLToPath(new URL('../../systemd/user/warden-agent.service', import.meta.url));
  const verified = await run('systemd-analyze', ['verify', '--user', unit], { XDG_RUNTIME_DIR: folder, HOME: folder });
  expect(verified).toEqual({ code: 0, stdout: '', stderr: '' });
});

describe('with a command', () => {
  const oneShot = (...words: string[]) =>
    warden(['agent', '--actor', 'adm-tester', '--', ...words], {
      cwd: folder,
      env: { WARDEN_SOCKET: daemon.socket, XDG_RUNTIME_DIR: folder },
    });

  test('it lasts as long as the command, and leaves nothing', async () => {
    const result = await oneShot('sh', '-c', 'echo "$SSH_AUTH_SOCK"; ssh-add -l; umask');
    const [socket = '', key, umask] = result.stdout.split('\n');
    expect(result.code).toBe(0);
    expect(socket.startsWith(`${folder}/warden/agent-`)).toBe(true);
    expect(key).toContain('(ED25519-CERT)');
    expect(umask).toBe(process.umask().toString(8).padStart(4, '0'));
    expect(lstatSync(dirname(socket), { throwIfNoEntry: false })).toBeUndefined();
  });

  test.each([
    ['its exit code', ['sh', '-c', 'exit 7'], 7],
    ['the signal that ended it', ['sh', '-c', 'kill -TERM $$'], 143],
  ])('it hands on %s', async (_name, words, code) => {
    expect((await oneShot(...words)).code).toBe(code);
  });

  test.each([[['nosuchprogram'], 'cannot run nosuchprogram: ENOENT']])(
    'it says what cannot be run',
    async (words, message) => {
      expect(await oneShot(...words)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
    },
  );

  test('a lifetime that no login outlives is refused', async () => {
    const result = await warden(['agent', '--actor', 'adm-tester', '--ttl', '5s', '--', 'true']);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('--ttl is below 10 seconds') });
  });

  test('the command must stand after --', async () => {
    const result = await warden(['agent', 'ssh', 'bastion-1']);
    expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining('put -- before the command') });
  });

  test('--json leaves stdout to the command', async () => {
    const result = await warden(['agent', '--actor', 'adm-tester', '--json', '--', 'ssh-add', '-l'], {
      cwd: folder,
      env: { WARDEN_SOCKET: daemon.socket, XDG_RUNTIME_DIR: folder },
    });
    expect(result.stdout).toMatch(/^256 SHA256:\S+ \S+ \(ED25519-CERT\)\n$/);
    expect(JSON.parse(result.stderr)).toMatchObject({
      event: 'issued',
      actor: 'adm-tester',
      serial: expect.any(String),
    });
  });

  test('--status --json gives errors as objects', async () => {
    const result = await warden(['agent', '--status', '--json', '--listen', join(folder, 'none')]);
    expect(result.code).toBe(3);
    expect(json(result)).toMatchObject({
      error: { reason: 'daemon_unreachable', hint: expect.stringContaining('warden agent') },
    });
  });
});
