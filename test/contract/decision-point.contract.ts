import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionPoint } from '../../src/policy/decision-point.ts';
import type { RegistrySnapshot } from '../../src/policy/registry-snapshot.ts';
import { caseSets } from './questions.ts';

export interface Candidate {
  readonly name: string;
  /** False where the protocol does not bring the decision point's reason back: then the effect alone is compared. */
  readonly givesReason: boolean;
  readonly idSource: 'pdp' | 'pep';
  start(registry: RegistrySnapshot): Promise<{ readonly decisionPoint: DecisionPoint; close(): Promise<void> }>;
}

/** What every decision point behind the gate must do alike. */
export function decisionPointContract(candidate: Candidate): void {
  describe.each(caseSets())(`${candidate.name}: $title`, ({ registry, cases }) => {
    let running: Awaited<ReturnType<Candidate['start']>>;
    beforeAll(async () => {
      running = await candidate.start(registry);
    });
    afterAll(() => running?.close());

    it('is ready', async () => {
      await expect(running.decisionPoint.ready()).resolves.toBeUndefined();
    });

    it.each(cases)('$name: $expect.effect, $expect.reason', async ({ question, expect: expected }) => {
      const decision = await running.decisionPoint.decide(question, { requestId: 'request-1' });
      expect(decision.effect).toBe(expected.effect);
      if (candidate.givesReason) expect(decision.reason).toBe(expected.reason);
      expect(decision).toMatchObject({ idSource: candidate.idSource, cached: false });
      expect(decision.id).toMatch(
        candidate.idSource === 'pep' ? /^request-1$/ : /^(synthetic-)?decision:[0-9a-f]{16}$/,
      );
    });

    it('an action that no rule knows is denied', async () => {
      const allowed = cases.find((one) => one.expect.effect === 'allow');
      if (allowed === undefined) throw new Error('the case set allows nothing');
      const asked = { ...allowed.question, action: 'exec' } as const;
      const decision = await running.decisionPoint.decide(asked, { requestId: 'request-2' });
      expect(decision.effect).toBe('deny');
    });
  });
}
