import { formatSeconds } from '../kernel/duration.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import { callerMatches } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { Trail } from './trail.ts';

export interface BreakGlassInput {
  readonly reason: string;
  readonly ticket: string;
  /** 0 closes it. */
  readonly durationSeconds: number;
}

/** Does the kernel say that the process has a controlling terminal? A port: the answer is in /proc. */
export type HasTerminal = (pid: number) => boolean;

/**
 * Opens the gate, for a bounded time, to faults alone: a deny stays a deny. Only callers that the config
 * names, only a person at a terminal, and recorded before it takes effect.
 */
export async function breakGlass(
  input: BreakGlassInput,
  hasTerminal: HasTerminal,
  context: RequestContext,
): Promise<{ until: number; receipt: LedgerReceipt }> {
  const { services, world, connection } = context;
  const { breakGlass: rule, enabled } = world.snapshot.settings.policy;
  const trail = new Trail('break_glass', context);
  trail.note({ user_reason: input.reason, ...(input.ticket === '' ? {} : { ticket: input.ticket }) });
  try {
    if (!(await callerMatches(rule.callers, context))) {
      throw new WardenError('break_glass_forbidden', 'this caller may not break the glass');
    }
    if (!hasTerminal(connection.caller.pid)) {
      throw new WardenError('break_glass_forbidden', 'breaking the glass needs a person at a terminal', {
        hint: 'run it in an interactive shell, not from a script or a service',
      });
    }
    if (!enabled) {
      throw new WardenError('break_glass_forbidden', 'there is no gate to open: policy.enabled is false', {
        hint: 'nothing needs opening; see `warden status`',
      });
    }
    const ms = input.durationSeconds * 1000;
    if (ms > rule.maxMs) {
      throw new WardenError(
        'break_glass_forbidden',
        `${formatSeconds(input.durationSeconds)} is above the maximum of ${formatSeconds(rule.maxMs / 1000)}`,
        { hint: 'ask for less: policy.break_glass.max in warden.yaml is the limit' },
      );
    }
    const receipt = await services.ledger.append(trail.entry('ok', { ttl_hours: input.durationSeconds / 3600 }));
    const until = ms === 0 ? services.breakGlass.close() : services.breakGlass.open(ms);
    return { until, receipt };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}
