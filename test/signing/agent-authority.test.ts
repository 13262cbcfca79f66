import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { AgentAuthority } from '../../src/signing/agent-authority.ts';
import { checkIssued } from '../../src/signing/check-issued.ts';
import { loadAuthority } from '../../src/signing/load-authority.ts';
import { SshAgent } from '../../src/signing/ssh-agent.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import type { KeyKind } from '../../src/ssh/generate-key.ts';
import { WireWriter } from '../../src/ssh/wire.ts';
import { startAgent } from './support/agent.ts';
import { failure, finished, keyOf } from './support/subjects.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const FREE = { lifetimeSeconds: null, confirm: false };
const CONTEXT = { requestId: 'r' };
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let sockets = 0;
async function agentWith(kind: KeyKind, comment = 'agent ca', path = join(folder, `agent-${++sockets}`)) {
  const running = await startAgent(path);
  cleanups.push(() => running.stop());
  const hand = new SshAgent(path);
  cleanups.push(() => hand.close());
  const key = await keyOf(kind);
  await hand.add(key.keyObject, comment, FREE);
  return { running, hand, key, path, wanted: fingerprint(key.publicKey.blob) };
}

function authorityAt(path: string, wanted: string): AgentAuthority {
  const authority = new AgentAuthority({ agent: new SshAgent(path), fingerprint: wanted });
  cleanups.push(() => authority.close());
  return authority;
}

describe('a CA key in an ssh-agent', () => {
  test.each([['ed25519'], ['ecdsa-p256'], ['ecdsa-p384'], ['ecdsa-p521'], ['rsa-3072']] as const)(
    'of type %s signs what was planned',
    async (kind) => {
      const { path, wanted, key } = await agentWith(kind);
      const authority = authorityAt(path, wanted);
      const plan = finished((await keyOf('ed25519')).publicKey);
      expect(authority.keys()).toEqual([]);
      const certificate = checkIssued(await authority.certify(plan, CONTEXT), plan, authority);
      expect(certificate.signatureAlgorithm).toBe(kind === 'rsa-3072' ? 'rsa-sha2-512' : key.publicKey.algorithm);
      expect(authority.keys()).toMatchObject([{ comment: 'agent ca', state: 'current', custody: 'agent' }]);
    },
  );

  test('that is removed while the daemon runs: unavailable, and back when the key is back', async () => {
    const { path, wanted, key, hand } = await agentWith('ed25519');
    const authority = authorityAt(path, wanted);
    const plan = finished((await keyOf('ecdsa-p256')).publicKey);
    await authority.certify(plan, CONTEXT);
    await hand.remove(key.publicKey.blob);
    const error = await failure(() => authority.certify(plan, CONTEXT));
    expect(error.code).toBe('ca_unavailable');
    expect(error.message).toBe(`the ssh-agent does not hold the CA key ${wanted}`);
    expect(error.hint).toBe('add the key to the agent: ssh-add FILE; `ssh-add -l` lists what it holds');
    expect((await failure(() => authority.ready())).code).toBe('ca_unavailable');
    // What sshd must trust does not change because an agent is away.
    expect(authority.keys()).toHaveLength(1);
    await hand.add(key.keyObject, 'agent ca', FREE);
    expect(checkIssued(await authority.certify(plan, CONTEXT), plan, authority).serial).toBe(77n);
    expect(await authority.ready()).toBeUndefined();
  });

  test('whose agent goes away: unavailable, and back when a new agent holds the key', async () => {
    const { path, wanted, running } = await agentWith('ed25519');
    const authority = authorityAt(path, wanted);
    const plan = finished((await keyOf('ecdsa-p256')).publicKey);
    await authority.certify(plan, CONTEXT);
    await running.stop();
    const error = await failure(() => authority.certify(plan, CONTEXT));
    expect(error.code).toBe('ca_unavailable');
    expect(error.message).toBe('the ssh-agent that holds the CA key cannot be reached');
    await agentWith('ed25519', 'agent ca', path);
    expect(checkIssued(await authority.certify(plan, CONTEXT), plan, authority).serial).toBe(77n);
  });

  test('that wants a confirmation nobody gives: refused', async () => {
    const { path, wanted, key, hand } = await agentWith('ed25519');
    await hand.add(key.keyObject, 'agent ca', { lifetimeSeconds: null, confirm: true });
    const authority = authorityAt(path, wanted);
    const error = await failure(async () => authority.certify(finished(key.publicKey), CONTEXT));
    expect(error.code).toBe('ca_refused');
    expect(error.message).toBe('the ssh-agent declined to sign with the CA key');
    expect(await authority.ready()).toBeUndefined();
  });

  test('is found among others, and by its fingerprint alone', async () => {
    const { path, hand } = await agentWith('ecdsa-p521', 'a decoy');
    const ca = await keyOf('ed25519');
    await hand.add(ca.keyObject, 'a decoy', FREE);
    const authority = authorityAt(path, fingerprint(ca.publicKey.blob));
    await authority.ready();
    expect(authority.keys()[0]?.publicKey.blob.equals(ca.publicKey.blob)).toBe(true);
  });

  test('100 at once after the agent came up share the search and are all signed', async () => {
    const { path, wanted } = await agentWith('ed25519');
    const authority = authorityAt(path, wanted);
    const plan = finished((await keyOf('ecdsa-p256')).publicKey);
    const blobs = await Promise.all(Array.from({ length: 100 }, () => authority.certify(plan, CONTEXT)));
    expect(blobs.map((blob) => checkIssued(blob, plan, authority).keyId)).toEqual(Array(100).fill(plan.keyId));
  });

  test('a request that is given up does not wait for the agent', async () => {
    const path = join(folder, 'silent');
    const server = createServer((socket) => void socket.on('error', () => undefined)).listen(path);
    await once(server, 'listening');
    const authority = authorityAt(path, `SHA256:${'A'.repeat(43)}`);
    const giveUp = new AbortController();
    const waiting = failure(async () =>
      authority.certify(finished((await keyOf('ed25519')).publicKey), { requestId: 'r', signal: giveUp.signal }),
    );
    setImmediate(() => giveUp.abort());
    expect((await waiting).code).toBe('deadline_exceeded');
    await authority.close();
    server.close();
  });
});

describe('an agent that holds the public key only', () => {
  /** It lists the key and answers every request for a signature with the same bytes. */
  async function forger(blob: Buffer, signature: Buffer): Promise<string> {
    const path = join(folder, `forger-${++sockets}`);
    const message = (write: (writer: WireWriter) => void): Buffer => new WireWriter().nested(write).finish();
    const list = message((writer) => writer.uint8(12).uint32(1).string(blob).string('agent ca'));
    const signed = message((writer) => writer.uint8(14).string(signature));
    const open = new Set<Socket>();
    const server = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => socket.write(chunk[4] === 11 ? list : signed));
    });
    server.listen(path);
    await once(server, 'listening');
    cleanups.push(async () => {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    });
    return path;
  }

  test.each([
    ['ssh-rsa, which is SHA-1', 'rsa-3072', 'ssh-rsa', 'the ssh-agent does not sign with rsa-sha2-512'],
    [
      'rsa-sha2-256, though 512 was asked for',
      'rsa-3072',
      'rsa-sha2-256',
      'the ssh-agent does not sign with rsa-sha2-512',
    ],
    ["another key type's algorithm", 'ed25519', 'ssh-rsa', 'the ssh-agent does not sign with ssh-ed25519'],
  ] as const)('and signs with %s is refused', async (_name, kind, algorithm, message) => {
    const { publicKey } = await keyOf(kind);
    const signature = new WireWriter().string(algorithm).string(Buffer.alloc(384)).finish();
    const authority = authorityAt(await forger(publicKey.blob, signature), fingerprint(publicKey.blob));
    const error = await failure(() => authority.certify(finished(publicKey), CONTEXT));
    expect(error.code).toBe('ca_refused');
    expect(error.message).toBe(message);
  });

  test('and forges a signature gets nothing released', async () => {
    const { publicKey } = await keyOf('ed25519');
    const signature = new WireWriter().string('ssh-ed25519').string(Buffer.alloc(64, 7)).finish();
    const authority = authorityAt(await forger(publicKey.blob, signature), fingerprint(publicKey.blob));
    const plan = finished(publicKey);
    const blob = await authority.certify(plan, CONTEXT);
    const error = await failure(() => checkIssued(blob, plan, authority));
    expect([error.code, error.details.privateDetail]).toEqual([
      'ca_mismatch',
      'signature: planned a good one, issued a bad one',
    ]);
  });

  test('and gives garbage for a signature is refused', async () => {
    const { publicKey } = await keyOf('ed25519');
    const authority = authorityAt(await forger(publicKey.blob, Buffer.from('garbage')), fingerprint(publicKey.blob));
    expect((await failure(() => authority.certify(finished(publicKey), CONTEXT))).code).toBe('ca_refused');
  });
});

describe('a setting agent:SHA256:…', () => {
  const context = (agentSocket: string | null, posture: 'dev' | 'prod' = 'prod') => ({
    posture,
    uid: process.getuid?.() ?? 0,
    credentialsDirectory: null,
    agentSocket,
  });
  const settings = (wanted: string) => ({ key: `agent:${wanted}`, next: null, retired: [] });

  test('loads where the agent is not there yet, and signs once it is', async () => {
    const path = join(folder, 'later');
    const key = await keyOf('ed25519');
    const authority = await loadAuthority(settings(fingerprint(key.publicKey.blob)), context(path));
    cleanups.push(() => authority.close());
    expect((await failure(() => authority.ready())).code).toBe('ca_unavailable');
    await agentWith('ed25519', 'agent ca', path);
    expect(await authority.ready()).toBeUndefined();
  });

  test.each([
    ['dev forbids a key whose comment has no label', 'dev', 'agent ca'],
    ['prod forbids a key that is labelled synthetic', 'prod', 'synthetic-ca'],
  ] as const)('%s, before anything is signed with it', async (_name, posture, comment) => {
    const { path, wanted, key } = await agentWith('ed25519', comment);
    const authority = await loadAuthority(settings(wanted), context(path, posture));
    cleanups.push(() => authority.close());
    expect((await failure(() => authority.certify(finished(key.publicKey), CONTEXT))).code).toBe('posture_forbids');
    expect(authority.keys()).toEqual([]);
  });

  test('without SSH_AUTH_SOCK is a fault of the config', async () => {
    const error = await failure(() => loadAuthority(settings(`SHA256:${'A'.repeat(43)}`), context(null)));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe('the CA key is in an ssh-agent, and SSH_AUTH_SOCK is not set');
  });

  test('a next key may be in the agent too', async () => {
    const { path, hand, wanted } = await agentWith('ed25519');
    const next = await keyOf('ecdsa-p256');
    await hand.add(next.keyObject, 'next ca', FREE);
    const nextSetting = `agent:${fingerprint(next.publicKey.blob)}`;
    const authority = await loadAuthority({ ...settings(wanted), next: nextSetting }, context(path));
    cleanups.push(() => authority.close());
    await authority.ready();
    expect(authority.keys().map(({ state, comment, custody }) => [state, comment, custody])).toEqual([
      ['current', 'agent ca', 'agent'],
      ['next', 'next ca', 'agent'],
    ]);
    const missing = await failure(() =>
      loadAuthority({ ...settings(wanted), next: `agent:SHA256:${'A'.repeat(43)}` }, context(path)),
    );
    expect(missing.code).toBe('ca_unavailable');
    expect(missing.hint).toBe('name the .pub file of a next or retired key instead of the agent');
  });
});
