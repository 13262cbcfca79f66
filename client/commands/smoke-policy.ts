import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { parseTtl } from '../../src/kernel/duration.ts';
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
import { toJson } from '../output.ts';

/** The allow of the smoke: short, since its key is thrown away at once. */
const ALLOW_TTL_SECONDS = 300n;

/** What is printed of one check, exactly; nothing of it is secret. */
interface Check {
  readonly actor: string;
  readonly policy_decision_id: string;
  readonly effect: string;
  readonly reason: string;
  readonly backend: string;
  readonly certificate_issued: boolean;
  readonly smoke_id: string;
  readonly time: string;
}

/** Pre-flight, one allow, one deny, through the running daemon. 0 as expected, 1 not, 2 unusable. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out, env } = invocation;
  const denyTtl = parseTtl(args.string('deny-ttl') ?? '999h');
  if (denyTtl === null) throw usageError('--deny-ttl is no time', 'write 999h');
  const evidence = args.string('evidence');
  if (evidence !== undefined) checkWritable(evidence);
  const key = await generateKeyPair('ed25519', 'synthetic-smoke');
  const smokeId = randomUUID();

  const checks = await withDaemon(invocation, async (channel) => {
    const backend = await preflight(channel);
    const base: SignRequest = {
      actor: args.string('actor') ?? (await firstUsable(channel)),
      publicKey: formatPublicKey(key.publicKey),
      ttlSeconds: ALLOW_TTL_SECONDS,
      principals: [],
      purpose: 1,
      subject: env.WARDEN_POLICY_SUBJECT ?? '',
      idToken: env.WARDEN_ID_TOKEN ?? '',
      reason: `smoke policy ${smokeId}`,
      ticket: '',
    };
    const ask = (request: SignRequest): Promise<Check> => check(channel, request, backend, smokeId);
    return [await ask(base), await ask({ ...base, ttlSeconds: BigInt(denyTtl) })] as const;
  });
  const [allow, deny] = checks;
  const lines = checks.map((one) => `${toJson(one)}\n`).join('');
  out.raw(lines);
  if (evidence !== undefined) appendFileSync(evidence, lines, { mode: 0o644 });
  const allowed = allow.effect === 'allow' && allow.certificate_issued && allow.policy_decision_id !== '';
  const denied = deny.effect === 'deny' && !deny.certificate_issued && deny.policy_decision_id !== '';
  if (allowed && denied) {
    out.aside({ text: 'as expected', style: 'green' }, ': one allow, one deny');
    return 0;
  }
  const wrong = [!allowed && 'the allow', !denied && 'the deny'].filter(Boolean).join(' and ');
  out.error({ text: 'not as expected', style: 'red' }, `: ${wrong}`);
  return 1;
}

/** Is there a gate to try, and does it answer? Gives the backend. @throws WardenError invalid_request: exit 2 */
async function preflight(channel: Channel): Promise<string> {
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
  return status.backend;
}

async function firstUsable(channel: Channel): Promise<string> {
  const { fullName, methods } = WardenDefinition;
  const { actors } = await channel.unary(fullName, methods.listActors, {}, { maxMessageBytes: 64 * 1024 * 1024 });
  const first = actors.find(({ usable }) => usable);
  if (first === undefined) throw usageError('no actor lists you among its callers', 'name one that does with --actor');
  return first.name;
}

async function check(channel: Channel, request: SignRequest, backend: string, smokeId: string): Promise<Check> {
  const { fullName, methods } = WardenDefinition;
  const common = { actor: request.actor, smoke_id: smokeId, time: new Date().toISOString() };
  try {
    const { evidence } = readSignResponse(await channel.unary(fullName, methods.sign, request));
    return {
      actor: common.actor,
      policy_decision_id: evidence.policyDecisionId,
      effect: evidence.policyEffect,
      reason: evidence.policyReason,
      backend: evidence.backend,
      certificate_issued: true,
      smoke_id: smokeId,
      time: common.time,
    };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const { decisionId, policyReason } = error.details;
    return {
      actor: common.actor,
      policy_decision_id: decisionId ?? '',
      // Refused without a decision: a fault, or a rule of our own before the gate.
      effect: decisionId === undefined ? (error.kind === 'unavailable' ? 'fault' : 'not_asked') : 'deny',
      reason: policyReason ?? error.reason,
      backend,
      certificate_issued: false,
      smoke_id: smokeId,
      time: common.time,
    };
  }
}
