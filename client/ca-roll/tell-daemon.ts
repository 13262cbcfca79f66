import { realpathSync } from 'node:fs';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { toShown } from '../report-error.ts';

/** Whether a step is in force already, and a sentence on it. */
export interface Told {
  readonly inForce: boolean;
  /** There is a daemon, and it did not do as it should. */
  readonly amiss: boolean;
  readonly says: string;
}

const UNTIL = 'wait until `warden ca` shows what is above before you go on';

/**
 * Has the daemon of this folder read it now: it would by itself a moment later, and a script that goes on at once
 * would bring the former keys onto its hosts. Never throws: the step is done, whoever heard of it.
 */
export async function tellDaemon(invocation: Invocation, dir: string): Promise<Told> {
  const { fullName, methods } = WardenDefinition;
  try {
    return await withDaemon(invocation, async (channel): Promise<Told> => {
      const { configDir } = await channel.unary(fullName, methods.status, {});
      if (real(configDir) !== real(dir)) {
        return { inForce: false, amiss: true, says: `the daemon that answers here reads ${configDir}; ${UNTIL}` };
      }
      const { problems, generation } = await channel.unary(fullName, methods.reload, {});
      const [problem] = problems;
      return problem === undefined
        ? { inForce: true, amiss: false, says: `the daemon has it in force: generation ${generation}` }
        : { inForce: false, amiss: true, says: `the daemon did not take it up: ${problem.split('\n')[0]}` };
    });
  } catch (error) {
    const { kind, message } = toShown(error);
    if (kind === 'unreachable') {
      return { inForce: false, amiss: false, says: `no daemon is reached from here; where one runs, ${UNTIL}` };
    }
    return { inForce: false, amiss: true, says: `not in force yet, as far as can be seen: ${message}; ${UNTIL}` };
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
