import { createHmac } from 'node:crypto';
import { SYNTHETIC_PREFIX } from '../kernel/posture.ts';

/**
 * The value of a double: the same for the same path and field within one run (one `seed`), another in the next.
 * The commands that doubles.ts writes count it out the same way.
 */
export function syntheticValue(seed: string, path: string, field: string): string {
  const digest = createHmac('sha256', seed).update(`${path}\n${field}`).digest('hex');
  return `${SYNTHETIC_PREFIX}${digest.slice(0, 24)}`;
}
