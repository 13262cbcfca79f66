import { toJson } from '../output.ts';
import { toJsonError } from '../report-error.ts';
import type { Ring } from './ring.ts';

/** What is offered and why something is not, as the status extension carries it and --json shows it. */
export function statusJson({ actors, problem }: ReturnType<Ring['states']>): string {
  return toJson({
    actors: actors.map((state) => ({
      actor: state.actor,
      offered: state.validBefore !== null,
      key_id: state.keyId ?? undefined,
      valid_before: state.validBefore === null ? undefined : new Date(state.validBefore).toISOString(),
      error: state.problem === null ? undefined : toJsonError(state.problem),
    })),
    problem: problem ?? undefined,
  });
}
