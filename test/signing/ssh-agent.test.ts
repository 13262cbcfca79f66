import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LocalAuthority } from '../../src/signing/local-authority.ts';
import { SshAgent } from '../../src/signing/ssh-agent.ts';
import { AgentFault } from '../../src/ssh/agent-fault.ts';
import { RSA_SHA2_512 } from '../../src/ssh/agent-protocol.ts';
import { formatCertificateLine } from '../../src/ssh/certificate.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { KEY_KINDS } from '../../src/ssh/generate-key.ts';
import { signatureAlgorithmIn, verifySignature } from '../../src/ssh/signature.ts';
import { startAgent } from './support/agent.ts';
import { finished, keyOf } from './support/subjects.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const FREE = { lifetimeSeconds: null, confirm: false };
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let sockets = 0;
const socketPath = (): string => join(folder, `agent-${++sockets}`);

async function realAgent(path = socketPath()) {
  const agent = await startAgent(path);
  cleanups.push(() => agent.stop());
  return agent;
}

function client(path: string, limits = {}): SshAgent {
  const agent = new SshAgent(path, limits);
  cleanups.push(() => agent.close());
  return agent;
}

async function faultOf(work: Promise<unknown>): Promise<AgentFault> {
  try {
    await work;
  } catch (error) {
    if (error instanceof AgentFault) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

describe('with a real ssh-agent', () => {
  test.each(KEY_KINDS.map((kind) => [kind] as const))('a %s key can be added, seen, used and removed', async (kind) => {
    const running = await realAgent();
    const agent = client(running.socket);
    const key = await keyOf(kind);
    await agent.add(key.keyObject, 'a comment', FREE);
    expect(running.add('-L')).toBe(`${key.publicKey.algorithm} ${key.publicKey.blob.toString('base64')} a comment\n`);
    expect(await agent.identities()).toEqual([{ blob: key.publicKey.blob, comment: 'a comment' }]);
    const data = Buffer.from('some data');
    const signature = await agent.sign(key.publicKey.blob, data, RSA_SHA2_512);
    expect(verifySignature(key.publicKey, data, signature)).toBe(true);
    if (kind.startsWith('rsa')) expect(signatureAlgorithmIn(signature)).toBe('rsa-sha2-512');
    await agent.remove(key.publicKey.blob);
    expect(await agent.identities()).toEqual([]);
  });

  test.each(KEY_KINDS.map((kind) => [kind] as const))(
    'a %s key goes in with its certificate, as ssh-add puts it',
    async (kind) => {
      const key = await keyOf(kind);
      const authority = new LocalAuthority({ key: await keyOf('ecdsa-p256'), custody: 'memory' });
      const certificate = await authority.certify(finished(key.publicKey), { requestId: 'r' });
      const running = await realAgent();
      const agent = client(running.socket);
      await agent.addCertificate(key.keyObject, certificate, 'with certificate', {
        lifetimeSeconds: 600,
        confirm: false,
      });
      expect(running.add('-L')).toBe(`${formatCertificateLine(certificate, 'with certificate')}\n`);
      expect(running.add('-l')).toContain(fingerprint(key.publicKey.blob));
      expect(signatureAlgorithmIn(await agent.sign(certificate, Buffer.from('x'), RSA_SHA2_512))).toBeTruthy();
      await agent.remove(certificate);
      expect(await agent.identities()).toEqual([]);
    },
  );

  test('a certificate over another key is refused by the agent', async () => {
    const authority = new LocalAuthority({ key: await keyOf('ecdsa-p256'), custody: 'memory' });
    const certificate = await authority.certify(finished((await keyOf('ecdsa-p384')).publicKey), { requestId: 'r' });
    const agent = client((await realAgent()).socket);
    const fault = await faultOf(agent.addCertificate((await keyOf('ecdsa-p521')).keyObject, certificate, '', FREE));
    expect(fault.kind).toBe('refused');
  });

  test('a key that needs confirmation is not used where nobody can confirm', async () => {
    const agent = client((await realAgent()).socket);
    const key = await keyOf('ed25519');
    await agent.add(key.keyObject, '', { lifetimeSeconds: null, confirm: true });
    expect((await faultOf(agent.sign(key.publicKey.blob, Buffer.from('x')))).kind).toBe('refused');
    await agent.add(key.keyObject, '', FREE);
    expect(await agent.sign(key.publicKey.blob, Buffer.from('x'))).toBeInstanceOf(Buffer);
  });

  test('a key with a lifetime of a second is forgotten', async () => {
    const agent = client((await realAgent()).socket);
    await agent.add((await keyOf('ed25519')).keyObject, '', { lifetimeSeconds: 1, confirm: false });
    await expect.poll(() => agent.identities(), { timeout: 30_000, interval: 200 }).toEqual([]);
  });

  test('a key that the agent does not hold is refused', async () => {
    const agent = client((await realAgent()).socket);
    const { blob } = (await keyOf('ed25519')).publicKey;
    expect((await faultOf(agent.sign(blob, Buffer.from('x')))).kind).toBe('refused');
    expect((await faultOf(agent.remove(blob))).kind).toBe('refused');
  });

  test('a locked agent lists nothing', async () => {
    const running = await realAgent();
    const agent = client(running.socket);
    await agent.add((await keyOf('ed25519')).keyObject, '', FREE);
    const askpass = join(folder, 'askpass');
    writeFileSync(askpass, '#!/bin/sh\necho lock\n', { mode: 0o700 });
    const env = { ...process.env, SSH_AUTH_SOCK: running.socket, SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' };
    execFileSync('ssh-add', ['-x'], { env, stdio: 'ignore' });
    expect(await agent.identities()).toEqual([]);
  });

  test('500 signatures at once come back each to its own request', async () => {
    const agent = client((await realAgent()).socket);
    const key = await keyOf('ed25519');
    await agent.add(key.keyObject, '', FREE);
    const messages = Array.from({ length: 500 }, (_, i) => Buffer.from(`message ${i}`));
    const signatures = await Promise.all(messages.map((message) => agent.sign(key.publicKey.blob, message)));
    const good = signatures.filter((signature, i) =>
      verifySignature(key.publicKey, messages[i] ?? Buffer.alloc(0), signature),
    );
    expect(good).toHaveLength(500);
  });

  test('after a restart of the agent the next request finds the new one', async () => {
    const path = socketPath();
    const first = await realAgent(path);
    const agent = client(path);
    expect(await agent.identities()).toEqual([]);
    await first.stop();
    expect((await faultOf(agent.identities())).kind).toBe('unreachable');
    await realAgent(path);
    expect(await agent.identities()).toEqual([]);
  });

  test('where there is no agent it says so', async () => {
    expect((await faultOf(client(join(folder, 'none')).identities())).kind).toBe('unreachable');
  });

  test('a path that the kernel would cut is refused', async () => {
    const fault = await faultOf(client(join('/tmp', 'x'.repeat(120))).identities());
    expect(fault.message).toBe('the path of the agent socket is longer than 107 bytes');
  });

  test('after close nothing is sent', async () => {
    const agent = client((await realAgent()).socket);
    await agent.identities();
    agent.close();
    expect((await faultOf(agent.identities())).kind).toBe('unreachable');
  });
});

/** An agent that answers each connection as it likes. */
async function hostileAgent(serve: (socket: Socket) => void): Promise<{ path: string; server: Server }> {
  const path = socketPath();
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => open.delete(socket));
    serve(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of open) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return { path, server };
}

const frame = (...bytes: number[]): Buffer => Buffer.from([0, 0, 0, bytes.length, ...bytes]);
const answering = (answer: Buffer) => (socket: Socket) => void socket.on('data', () => socket.write(answer));

describe('with an agent that does not keep to the protocol', () => {
  test.each([
    ['a frame of 256 KiB and a byte', 'protocol', Buffer.from([0, 4, 0, 1])],
    ['a frame of 4 GiB', 'protocol', Buffer.from([255, 255, 255, 255])],
    ['an empty frame', 'protocol', Buffer.alloc(4)],
    ['another message', 'protocol', frame(6)],
    ['two keys announced and none there', 'protocol', frame(12, 0, 0, 0, 2)],
    ['4 billion keys announced', 'protocol', frame(12, 255, 255, 255, 255)],
    ['a byte behind the list', 'protocol', frame(12, 0, 0, 0, 0, 0)],
    ['a key that is longer than its frame', 'protocol', frame(12, 0, 0, 0, 1, 255, 255, 255, 255)],
    ['a failure', 'refused', frame(5)],
    ['an extension failure', 'refused', frame(28)],
  ] as const)('%s is a fault of kind %s', async (_name, kind, answer) => {
    const { path } = await hostileAgent(answering(answer));
    expect((await faultOf(client(path).identities())).kind).toBe(kind);
  });

  test('a comment that does not belong on a terminal is left out', async () => {
    const body = Buffer.concat([Buffer.from([12, 0, 0, 0, 1, 0, 0, 0, 1, 65, 0, 0, 0, 4]), Buffer.from('\u001b[2J')]);
    const { path } = await hostileAgent(answering(frame(...body)));
    expect(await client(path).identities()).toEqual([{ blob: Buffer.from('A'), comment: '' }]);
  });

  test('silence ends after the time allowed', async () => {
    const { path } = await hostileAgent(() => undefined);
    const fault = await faultOf(client(path, { timeoutMs: 50 }).identities());
    expect(fault.kind).toBe('timeout');
    expect(fault.message).toBe('the agent did not answer within 50 ms');
  });

  test('a connection closed without an answer is a loss', async () => {
    const { path } = await hostileAgent((socket) => void socket.on('data', () => socket.destroy()));
    expect((await faultOf(client(path).identities())).kind).toBe('unreachable');
  });

  test('an answer that comes byte by byte is put together', async () => {
    const { path } = await hostileAgent((socket) => {
      socket.on('data', async () => {
        for (const byte of frame(12, 0, 0, 0, 0)) {
          await new Promise<void>((resolve) => socket.write(Buffer.of(byte), () => resolve()));
          await new Promise((resolve) => setImmediate(resolve));
        }
      });
    });
    expect(await client(path).identities()).toEqual([]);
  });

  test('an answer too many makes the connection worthless, and the next request gets a new one', async () => {
    let connections = 0;
    const { path } = await hostileAgent((socket) => {
      connections += 1;
      const first = connections === 1;
      socket.on('data', () =>
        socket.write(Buffer.concat(first ? [frame(12, 0, 0, 0, 0), frame(6)] : [frame(12, 0, 0, 0, 0)])),
      );
    });
    const agent = client(path);
    expect(await agent.identities()).toEqual([]);
    expect(await agent.identities()).toEqual([]);
    expect(connections).toBe(2);
  });

  test('a request that met a connection just lost is sent again, once', async () => {
    let connections = 0;
    const { path } = await hostileAgent((socket) => {
      connections += 1;
      let asked = 0;
      socket.on('data', () => {
        asked += 1;
        if (asked === 1 && connections === 1) socket.write(frame(12, 0, 0, 0, 0));
        else if (connections === 2) socket.write(frame(12, 0, 0, 0, 0));
        else socket.destroy();
      });
    });
    const agent = client(path);
    expect(await agent.identities()).toEqual([]);
    expect(await agent.identities()).toEqual([]);
    expect(connections).toBe(2);
    // On the second connection the agent answers once more and then goes for good.
    expect(await agent.identities()).toEqual([]);
  });

  test('no more than the bound wait for an agent that does not answer', async () => {
    const { path } = await hostileAgent(() => undefined);
    const agent = client(path, { maxInFlight: 2, maxWaiting: 3, timeoutMs: 200 });
    const faults = await Promise.all(Array.from({ length: 8 }, () => faultOf(agent.identities())));
    const kinds = faults.map((fault) => fault.kind);
    expect(kinds.filter((kind) => kind === 'overloaded').length).toBeGreaterThanOrEqual(3);
    expect(kinds.every((kind) => kind === 'overloaded' || kind === 'timeout')).toBe(true);
  });
});
