import { WardenError } from '../kernel/errors.ts';

/**
 * What a call throws whose asker went away or ran out of time. On purpose no PolicyFault: the decision point
 * did not fail, so nothing may be released because of it.
 */
export function cancelled(signal: AbortSignal): WardenError {
  if (signal.reason instanceof WardenError) return signal.reason;
  return new WardenError('deadline_exceeded', 'the request ended before the decision point answered', {
    cause: signal.reason,
  });
}
