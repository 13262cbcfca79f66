import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { parseTtl } from '../../src/kernel/duration.ts';
import { DENY_TTL_SECONDS, formatEvidence, type SmokeOutcome, smokePolicy } from '../../src/registry/smoke.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import { RpcError } from '../../src/rpc/client/rpc-error.ts';
import { type SignRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import { formatPublicKey } from '../../src/ssh/public-key.ts';
import { usageError } from '../args.ts';
import { checkWritable } from '../atomic-file.ts';
import { withDaemon } from '../connect.ts';
import { readSignResponse } from '../evidence.ts';
import type { Invocation } from '../invocation.ts';

/** The allow of the smoke: short, since its key is thrown away at once. */
const ALLOW_TTL_SECONDS = 300;

/** Pre-flight, one allow, one deny, through the running daemon. 0 as expected, 1 not, 2 unusable. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out, env } = invocation;
  const denyTtl = args.string('deny-ttl');
  const denyTtlSeconds = denyTtl === undefined ? DENY_TTL_SECONDS : parseTtl(denyTtl);
  if (denyTtlSeconds === null) throw usageError('--deny-ttl is no time', 'write 999h');
  const evidenceFile = args.string('evidence');
  if (evidenceFile !== undefined) checkWritable(evidenceFile);
  const key = await generateKeyPair('ed25519', 'synthetic-smoke');

  const { exit, evidence, problems } = await withDaemon(invocation, async (channel) => {
    const { backend, protocol } = await preflight(channel);
    if ((args.flag('openbao') || env.SMOKE_VAULT === '1') && backend !== 'openbao') {
      throw usageError(
        `certificates come from the ${backend} backend here, not from OpenBao`,
        'set backend: openbao in warden.yaml, or leave --openbao out',
      );
    }
    const actor = args.string('actor') ?? (await firstUsable(channel));
    return smokePolicy(
      { actor, allowTtlSeconds: ALLOW_TTL_SECONDS, denyTtlSeconds, wordless: protocol === 'authzen' },
      {
        // Done above: without it there is no actor to ask for.
        preflight: async () => undefined,
        sign: ({ ttlSeconds, smokeId }) =>
          ask(channel, backend, {
            actor,
            publicKey: formatPublicKey(key.publicKey),
            ttlSeconds: BigInt(ttlSeconds ?? 0),
            principals: [],
            purpose: 1,
            subject: env.WARDEN_POLICY_SUBJECT ?? '',
            idToken: env.WARDEN_ID_TOKEN ?? '',
            reason: '',
            ticket: '',
            smokeId,
          }),
        newSmokeId: randomUUID,
        now: Date.now,
      },
    );
  });
  const lines = evidence.map((one) => `${formatEvidence(one)}\n`).join('');
  out.raw(lines);
  if (evidenceFile !== undefined) appendFileSync(evidenceFile, lines, { mode: 0o644 });
  if (exit === 0) out.aside({ text: 'as expected', style: 'green' }, ': one allow, one deny');
  for (const problem of problems) out.error({ text: 'not as expected', style: 'red' }, `: ${problem}`);
  return exit;
}

/** Is there a gate to try, and does it answer? @throws WardenError invalid_request: exit 2 */
async function preflight(channel: Channel): Promise<{ backend: string; protocol: string }> {
  const { fullName, methods } = WardenDefinition;
  const status = await channel.unary(fullName, methods.status, {});
  if (status.policy?.enabled !== true) {
    throw usageError(
      'the gate is off in this daemon, so there is nothing to try',
      'set policy.enabled: true in warden.yaml',
    );
  }
  const gate = status.dependencies.find(({ name }) => name === 'policy');
  if (gate?.state === 'not_serving') throw usageError(`the decision point does not answer: ${gate.detail}`, gate.hint);
  return { backend: status.backend, protocol: status.policy.protocol };
}

async function firstUsable(channel: Channel): Promise<string> {
  const { fullName, methods } = WardenDefinition;
  const { actors } = await channel.unary(fullName, methods.listActors, {}, { maxMessageBytes: 64 * 1024 * 1024 });
  const first = actors.find(({ usable }) => usable);
  if (first === undefined) throw usageError('no actor lists you among its callers', 'name one that does with --actor');
  return first.name;
}

/**
 * One request. A refusal is an outcome, and its effect what the decision point said: the local ceiling refuses
 * after an allow, too, and that proves nothing of the gate.
 */
async function ask(channel: Channel, backend: string, request: SignRequest): Promise<SmokeOutcome> {
  const { fullName, methods } = WardenDefinition;
  try {
    const { evidence } = readSignResponse(await channel.unary(fullName, methods.sign, request));
    const { policyDecisionId, policyEffect: effect, policyReason: reason } = evidence;
    return { policyDecisionId, effect, reason, backend: evidence.backend, certificateIssued: true };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { decisionId, policyEffect: effect = 'not_asked', policyReason = '' } = error.details;
    // Refused without a decision: a fault, or a rule of our own before the gate.
    const reason = decisionId === undefined ? error.reason : policyReason;
    return { policyDecisionId: decisionId ?? '', effect, reason, backend, certificateIssued: false };
  }
}
