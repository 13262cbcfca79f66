import { randomBytes } from 'node:crypto';

/** A decision id as flex-auth gives them: `decision:` and 16 hexadecimal digits. */
export function newDecisionId(): string {
  return `decision:${randomBytes(8).toString('hex')}`;
}
