import type { Actor } from '../../../src/inventory/actor.ts';
import { WardenError } from '../../../src/kernel/errors.ts';
import type { CertificatePlan } from '../../../src/signing/certificate-plan.ts';
import { finishPlan } from '../../../src/signing/finish-plan.ts';
import { planCertificate } from '../../../src/signing/plan.ts';
import { generateKeyPair, type KeyKind } from '../../../src/ssh/generate-key.ts';
import type { PrivateKey } from '../../../src/ssh/private-key.ts';
import { type PublicKey, parsePublicKeyBlob, publicKeyBody } from '../../../src/ssh/public-key.ts';
import { WireWriter } from '../../../src/ssh/wire.ts';

export const NOW = Date.parse('2026-11-22T10:00:00.500Z');
export const REQUEST_ID = '01900000-0000-7000-8000-000000000001';

export const ACTOR: Actor = {
  name: 'agt-state-hub-bridge',
  type: 'agt',
  principals: ['agt-task-bridge', 'agt-state'],
  ttlSeconds: 8 * 3600,
  maxTtlSeconds: 24 * 3600,
  maturity: 'M2',
  tenant: 'tenant:platform',
  allowedSubjects: ['agt-state-hub-bridge'],
  callers: null,
  options: { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions: [] },
  openbaoRole: null,
};

const made = new Map<KeyKind, Promise<PrivateKey>>();

/** One key of each kind for the whole test file: rsa ones take long to make. */
export function keyOf(kind: KeyKind): Promise<PrivateKey> {
  const known = made.get(kind) ?? generateKeyPair(kind, `test ${kind}`);
  made.set(kind, known);
  return known;
}

export async function skEd25519(): Promise<PublicKey> {
  const { point } = publicKeyBody((await keyOf('ed25519')).publicKey);
  const writer = new WireWriter().string('sk-ssh-ed25519@openssh.com').string(point).string('ssh:');
  return parsePublicKeyBlob(writer.finish());
}

export async function skEcdsa(): Promise<PublicKey> {
  const { point } = publicKeyBody((await keyOf('ecdsa-p256')).publicKey);
  const writer = new WireWriter().string('sk-ecdsa-sha2-nistp256@openssh.com').string('nistp256');
  return parsePublicKeyBlob(writer.string(point).string('ssh:').finish());
}

export function finished(
  publicKey: PublicKey,
  more: Partial<Actor> = {},
  serial: bigint | null = 77n,
): CertificatePlan {
  const actor = { ...ACTOR, ...more };
  const draft = planCertificate({ actor, publicKey, principals: [], ttlSeconds: 0, now: NOW, requestId: REQUEST_ID });
  return finishPlan(draft, { decisionId: 'decision:873c6c682a52bebc', serial, posture: 'prod' });
}

/** The WardenError of a call that must fail. */
export async function failure(work: () => unknown): Promise<WardenError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof WardenError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}
