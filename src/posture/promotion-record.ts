import * as z from 'zod';
import { type EnvPosture, POSTURES } from '../kernel/posture.ts';
import { isOneTierUp } from './promotion.ts';

/** In the state folder, beside the posture that it lets change. */
export const PROMOTIONS_FILE = 'posture-promotions.json';
export const MAX_PROMOTIONS_BYTES = 1024 * 1024;
const MAX_RECORDS = 100;

const line = z
  .string()
  .min(1)
  .max(512)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u);

const promotion = z.strictObject({
  from: z.enum(POSTURES),
  to: z.enum(POSTURES),
  environment: line,
  /** SHA-256 of the manifest that was judged. */
  manifest_sha256: z.string().regex(/^[0-9a-f]{64}$/),
  steps: z
    .array(z.strictObject({ id: line, held: z.literal(true), message: z.string().max(4096) }))
    .min(1)
    .max(32),
  signed_off_by: line,
  references: z.array(line).min(1).max(32),
  finished_at: z.iso.datetime(),
});

const file = z.strictObject({ version: z.literal(1), promotions: z.array(promotion).max(MAX_RECORDS) });

/** A finished ceremony: evidence only, names and digests. */
export type Promotion = z.output<typeof promotion>;

/** The records of a file; null where it is none. */
export function parsePromotions(text: string): readonly Promotion[] | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const read = file.safeParse(value);
  return read.success ? read.data.promotions : null;
}

/** The whole file. The oldest go where there are more than it may hold. */
export function formatPromotions(promotions: readonly Promotion[]): string {
  return `${JSON.stringify({ version: 1, promotions: promotions.slice(-MAX_RECORDS) }, null, 2)}\n`;
}

/** Is there a finished ceremony that leads from the one posture to the other? Several in a row do as well. */
export function findPromotion(promotions: readonly Promotion[], from: EnvPosture, to: EnvPosture): Promotion | null {
  let at = from;
  for (const step of promotions) {
    if (step.from !== at || !isOneTierUp(step.from, step.to)) continue;
    at = step.to;
    if (at === to) return step;
  }
  return null;
}
