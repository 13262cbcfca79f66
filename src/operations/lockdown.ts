import { asWardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import { requireAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { Trail } from './trail.ts';

export interface LockdownInput {
  readonly reason: string;
  readonly ticket: string;
  readonly lift: boolean;
}

export interface LockdownOutput {
  /** Milliseconds since the epoch; null: nothing is locked down. */
  readonly since: number | null;
  /** Null: it was so already, and nothing was recorded. */
  readonly receipt: LedgerReceipt | null;
}

/**
 * Stops every release, or lets them begin again. What runs already goes on: a command that was started with a secret
 * has it, and killing it would only lose its work.
 */
export async function lockdown(input: LockdownInput, context: RequestContext): Promise<LockdownOutput> {
  const { restraints } = context.services;
  const trail = new Trail('lockdown', context);
  trail.note(input.ticket === '' ? {} : { ticket: input.ticket });
  try {
    await requireAdministrator(context);
    const since = restraints.lockdown?.since ?? null;
    if (input.lift === (since === null)) return { since, receipt: null };
    const change = { kind: 'lockdown', action: input.lift ? 'lift' : 'set', reason: input.reason } as const;
    const receipt = await restraints.commit(change, trail.entry('ok'));
    return { since: restraints.lockdown?.since ?? null, receipt };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}
