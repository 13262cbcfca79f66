import { dirname, isAbsolute, join } from 'node:path';
import { defaultPaths } from '../../src/kernel/paths.ts';
import { usageError } from '../args.ts';
import type { Invocation } from '../invocation.ts';
import { pathFacts } from '../paths.ts';

type Env = Invocation['env'];

/** Set for a command that has an agent of its own, beside SSH_AUTH_SOCK: `warden ssh-config` leaves it to it. */
export const AGENT_VARIABLE = 'WARDEN_AGENT_SOCK';

export interface AgentPlace {
  readonly path: string;
  /** The folder has a name in /tmp that anybody could have taken first. */
  readonly privateFolder: boolean;
}

/** Where the agent of this user listens: beside the socket that a wardend of theirs would have, root's too. */
export function agentPlace(env: Env, named: string | undefined): AgentPlace {
  if (named !== undefined) {
    if (!isAbsolute(named))
      throw usageError('--listen is no absolute path', 'as in --listen /run/user/1000/agent.sock');
    return { path: named, privateFolder: false };
  }
  const { socketPath, privateSocketFolder } = defaultPaths(env, pathFacts(env), 'user');
  return { path: join(dirname(socketPath), 'agent.sock'), privateFolder: privateSocketFolder };
}
