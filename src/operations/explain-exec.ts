import type { RequestContext } from './context.ts';
import { decideExec, type ExecInput, eachRoute } from './decide-exec.ts';
import { checkOwner, ownerNeeds, ownerText } from './explain-owner.ts';
import { type Explanation, explainDecision } from './explaining.ts';

const STEPS = [
  'actor',
  'standing',
  'route',
  'quota',
  'confinement',
  'command',
  'lattice',
  'tier',
  'subject',
  'policy',
  'owner',
] as const;

/** What `exec` would do, and why: no owner is asked, nothing is started. @throws WardenError internal */
export async function explainExec(input: ExecInput, ask: boolean, context: RequestContext): Promise<Explanation> {
  try {
    return await explainDecision(
      STEPS,
      async (walk, at) => {
        const { actor, admitted, command } = await decideExec(input, context, at, walk);
        command.pinned?.close();
        const routes = admitted.map(({ route }) => route);
        walk.begin('owner', () => ownerNeeds(routes, context));
        for (const route of routes) await checkOwner(route, actor, input.token, context);
        walk.held(() => eachRoute(admitted, ({ route }) => ownerText(route, context)));
        return admitted.map(({ trail }) => trail);
      },
      ask,
      context,
    );
  } finally {
    input.token?.dispose();
  }
}
