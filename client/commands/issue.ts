import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { SshAgent } from '../../src/signing/ssh-agent.ts';
import { parseCertificateLine } from '../../src/ssh/certificate.ts';
import { generateKeyPair, KEY_KINDS, type KeyKind } from '../../src/ssh/generate-key.ts';
import { formatPrivateKey, type PrivateKey } from '../../src/ssh/private-key.ts';
import { formatPublicKey } from '../../src/ssh/public-key.ts';
import { agentError } from '../agent-keys.ts';
import { quoted, usageError } from '../args.ts';
import { checkWritable, writeAtomically } from '../atomic-file.ts';
import { withDaemon } from '../connect.ts';
import { evidenceJson, printEvidence, readSignResponse } from '../evidence.ts';
import { certificatePathOf } from '../find-key.ts';
import type { Invocation } from '../invocation.ts';
import { home } from '../paths.ts';
import { readSignRequest } from '../sign-request.ts';

/** A fresh key pair with a certificate. The private half is born here and stays: only the public key travels. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out, env } = invocation;
  const actor = args.positional(0);
  const target = args.flag('agent') ? prepareAgent(invocation) : prepareFiles(invocation, actor);
  const key = await generateKeyPair(readKind(args.string('type')), actor);
  const request = readSignRequest(invocation, formatPublicKey(key.publicKey), 2);
  const { fullName, methods } = WardenDefinition;
  const response = await withDaemon(invocation, (channel) => channel.unary(fullName, methods.sign, request));
  const { certificate, evidence } = readSignResponse(response);
  if (target === null) await addToAgent(env.SSH_AUTH_SOCK ?? '', key, certificate);
  else writeKeyFiles(target, key, certificate, args.flag('force'));

  const files = target === null ? { agent: true } : { key_file: target, certificate_file: certificatePathOf(target) };
  if (out.json) out.object({ actor, ...files, certificate, ...evidenceJson(evidence) });
  else
    printEvidence(
      out,
      target === null ? 'and its key are in the ssh-agent' : `${certificatePathOf(target)} with its key ${target}`,
      evidence,
    );
  return 0;
}

function readKind(text = 'ed25519'): KeyKind {
  const kind = KEY_KINDS.find((known) => known === text);
  if (kind === undefined) throw usageError(`--type ${quoted(text)} is none`, `one of ${KEY_KINDS.join(', ')}`);
  return kind;
}

function prepareAgent({ args, env }: Invocation): null {
  if (args.string('out') !== undefined) throw usageError('--agent and --out exclude each other');
  if (!env.SSH_AUTH_SOCK) throw usageError('SSH_AUTH_SOCK names no ssh-agent', 'start one: eval "$(ssh-agent)"');
  return null;
}

/** The key's path, looked at before anything is asked: an existing key is worth more than a new one. */
function prepareFiles({ args, env }: Invocation, actor: string): string {
  const named = args.string('out');
  if (named === '-' || named === '') throw usageError('a private key is not printed', 'give --out FILE, or --agent');
  // The actor's name becomes a file name only where it is one.
  if (named === undefined && !/^[a-z0-9][a-z0-9._-]*$/.test(actor))
    throw usageError(`${quoted(actor)} is no actor's name`);
  const target = named ?? join(home(env), '.ssh', `warden-${actor}`);
  if (named === undefined) mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  checkWritable(target);
  const there = [target, `${target}.pub`].find((path) => existsSync(path));
  if (there !== undefined && !args.flag('force')) {
    throw usageError(`${there} is there already`, 'name another file with --out, or replace it with --force');
  }
  return target;
}

function writeKeyFiles(target: string, key: PrivateKey, certificate: string, replace: boolean): void {
  const bytes = formatPrivateKey(key);
  try {
    writeAtomically({ path: target, bytes, mode: 0o600, replace, durable: true });
  } finally {
    bytes.fill(0);
  }
  writeAtomically({
    path: `${target}.pub`,
    bytes: `${formatPublicKey(key.publicKey)}\n`,
    mode: 0o644,
    replace,
    durable: true,
  });
  writeAtomically({
    path: certificatePathOf(target),
    bytes: `${certificate}\n`,
    mode: 0o644,
    replace: true,
    durable: false,
  });
}

async function addToAgent(socket: string, key: PrivateKey, line: string): Promise<void> {
  const certificate = parseCertificateLine(line);
  const lifetimeSeconds = Math.max(1, Number(certificate.validBefore) - Math.floor(Date.now() / 1000));
  const agent = new SshAgent(socket);
  try {
    await agent.addCertificate(key.keyObject, certificate.blob, certificate.keyId, { lifetimeSeconds, confirm: false });
  } catch (error) {
    throw agentError(error);
  } finally {
    agent.close();
  }
}
