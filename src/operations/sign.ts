import { asWardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import type { Certificate } from '../ssh/certificate.ts';
import type { GateOutcome } from './ask-gate.ts';
import type { RequestContext } from './context.ts';
import { decideSign, type SignInput } from './decide-sign.ts';
import { FOR_REAL } from './decision-walk.ts';
import { issueCertificate } from './issue-certificate.ts';
import { Trail } from './trail.ts';

export interface SignOutput {
  readonly certificate: Certificate;
  /** Of the subject key. */
  readonly fingerprint: string;
  readonly ttlSeconds: number;
  readonly gate: GateOutcome;
  readonly backend: string;
  readonly receipt: LedgerReceipt;
}

/**
 * One certificate, from request to release: decided step by step, made only when every step held, and released only
 * once it is durable in the ledger.
 * @throws WardenError recorded, with the number of its record
 */
export async function sign(input: SignInput, context: RequestContext): Promise<SignOutput> {
  const trail = new Trail(input.purpose, context);
  try {
    const { plan, fingerprint, gate } = await decideSign(input, context, trail, FOR_REAL);
    const issued = await issueCertificate(plan, gate, context, trail);
    const { backend } = context.world.authority;
    return { ...issued, fingerprint, ttlSeconds: plan.ttlSeconds, gate, backend };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}
