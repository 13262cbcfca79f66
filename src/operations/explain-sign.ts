import type { RequestContext } from './context.ts';
import { decideSign, type SignInput } from './decide-sign.ts';
import { type Explanation, explainDecision } from './explaining.ts';

const STEPS = [
  'key',
  'callers',
  'standing',
  'quota',
  'plan',
  'posture',
  'subject',
  'policy',
  'ceiling',
  'authority',
] as const;

/** What `sign` would do, and why: nothing is certified. @throws WardenError internal */
export function explainSign(input: SignInput, ask: boolean, context: RequestContext): Promise<Explanation> {
  const { authority } = context.world;
  return explainDecision(
    STEPS,
    async (walk, { trail }) => {
      await decideSign(input, context, trail, walk);
      walk.begin('authority', () => 'a certificate authority that can sign now');
      await authority.ready();
      walk.held(() => `${authority.backend} authority is ready`);
      return [trail];
    },
    ask,
    context,
  );
}
