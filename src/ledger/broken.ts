import { WardenError } from '../kernel/errors.ts';

const MEND =
  'see `warden ledger verify`; put the newest state folder back, or accept what is there: `warden ledger accept --reason …`';

/** The chain, its head or its key is not what this ledger wrote. */
export function broken(message: string, cause?: unknown): WardenError {
  return new WardenError('ledger_broken', message, { hint: MEND, cause });
}

/** Records that were there are not: a cut tail, or an older state folder put back. */
export function rolledBack(message: string): WardenError {
  return new WardenError('state_rolled_back', message, { hint: MEND });
}

/** The ledger can't be written now; nothing may be released. */
export function unavailable(message: string, cause?: unknown, hint?: string): WardenError {
  return new WardenError('ledger_unavailable', message, {
    ...(cause === undefined ? {} : { cause }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** `record 7`, `records 7 to 9`. */
export function recordsNamed(first: number, last: number): string {
  return first === last ? `record ${first}` : `records ${first} to ${last}`;
}
