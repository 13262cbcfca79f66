import type { RequestContext } from './context.ts';
import { decideFetch, type FetchInput } from './decide-fetch.ts';
import { checkOwner, ownerNeeds, ownerText } from './explain-owner.ts';
import { type Explanation, explainDecision } from './explaining.ts';

const STEPS = [
  'actor',
  'standing',
  'quota',
  'route',
  'fields',
  'confinement',
  'lattice',
  'tier',
  'subject',
  'policy',
  'owner',
] as const;

/** What `fetch` would do, and why: the owner is not asked. @throws WardenError internal */
export async function explainFetch(input: FetchInput, ask: boolean, context: RequestContext): Promise<Explanation> {
  try {
    return await explainDecision(
      STEPS,
      async (walk, { trail }) => {
        const { route, actor } = await decideFetch(input, context, trail, walk);
        walk.begin('owner', () => ownerNeeds([route], context));
        await checkOwner(route, actor, input.token, context);
        walk.held(() => ownerText(route, context));
        return [trail];
      },
      ask,
      context,
    );
  } finally {
    input.token?.dispose();
  }
}
