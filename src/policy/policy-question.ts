import * as z from 'zod';
import { MATURITIES, type Maturity } from '../kernel/posture.ts';

/** Half a surrogate pair turns into U+FFFD on its way into WebAssembly, where two different names would meet. */
const wellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);
const text = (max: number) => z.string().max(max).refine(wellFormed, 'is not well-formed Unicode');
const name = text(512).min(1);

const party = { id: name, type: name, tenant: name };

/**
 * The body of `POST /v1/check` as a decision point reads it. The envelope is strict, so that a client which
 * sends more than the contract is found out; the context may hold more than the rules look at.
 */
export const checkRequestSchema = z.strictObject({
  subject: z.strictObject(party),
  tenant: name,
  resource: z.strictObject({ ...party, system: name }),
  action: text(64).min(1),
  context: z.looseObject({
    principals: z.array(text(512)).max(256).optional(),
    actor_type: text(64).optional(),
    pubkey_fingerprint: text(256).optional(),
    ttl_hours: z.number().optional(),
    env_posture: text(64).optional(),
    workload_maturity: z.enum(MATURITIES).optional(),
    required_maturity: z.enum(MATURITIES).optional(),
    data_class: text(64).optional(),
  }),
});

export type CheckRequest = z.infer<typeof checkRequestSchema>;

const MICROSECONDS_PER_HOUR = 3_600_000_000;

/**
 * Hours as whole microseconds, since Cedar has no fractions; what no exact integer can hold becomes the largest
 * that can, which lies above every maximum. Rising hours never give falling microseconds, so a TTL equal to its
 * maximum stays equal, and no certificate, which counts in seconds, gains by the rounding.
 */
export function hoursToMicroseconds(hours: number): number {
  const micros = Math.round(hours * MICROSECONDS_PER_HOUR);
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, micros));
}

/** M0 to M3 as 0 to 3, so that rules can compare them. */
export function maturityLevel(maturity: Maturity): number {
  return MATURITIES.indexOf(maturity);
}

/** Where in the request it is wrong and how, without repeating what was sent. */
export function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'the request is not as the contract says';
  const where = issue.path.length === 0 ? 'the request' : issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') return `${where} has a key that the contract does not know`;
  if (issue.code === 'invalid_type') return `${where} is missing or no ${issue.expected}`;
  return `${where} is not as the contract says`;
}
