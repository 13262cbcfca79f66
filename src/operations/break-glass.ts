import type { AttestedConnection } from '../callers/connection.ts';
import { firstMatch } from '../callers/match.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import { type BreakGlassOpening, checkOpening } from '../policy/break-glass.ts';
import { callerMatches, selectorFacts } from './authorised-actor.ts';
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
    // The second look is for a number that is somebody else's by now.
    if (!hasTerminal(connection.caller.pid) || connection.check() !== 'alive') {
      throw new WardenError('break_glass_forbidden', 'breaking the glass needs a person at a terminal', {
        hint: 'run it in an interactive shell, not from a script or a service',
      });
    }
    if (!enabled) {
      throw new WardenError('break_glass_forbidden', 'there is no gate to open: policy.enabled is false', {
        hint: 'nothing needs opening; see `warden status`',
      });
    }
    const forMs = input.durationSeconds * 1000;
    const { caller } = connection;
    const facts = await selectorFacts(context);
    const opening: BreakGlassOpening = {
      openedBy: describeCaller(connection),
      reason: input.reason,
      forMs,
      maxMs: rule.maxMs,
      allowedUnder: (policy) => firstMatch(policy.breakGlass.callers, caller, facts) !== null,
    };
    if (forMs > 0) checkOpening(opening);
    const receipt = await trail.record({ ttl_hours: input.durationSeconds / 3600 });
    if (forMs > 0) return { until: services.breakGlass.open(opening).until, receipt };
    services.breakGlass.close();
    return { until: services.clock.now(), receipt };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}

function describeCaller({ caller }: AttestedConnection): string {
  return `uid ${caller.uid}, ${caller.exe ?? 'unknown executable'}`;
}
