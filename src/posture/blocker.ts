import type { EnvPosture } from '../kernel/posture.ts';
import { canDeliver, clauseSentence, type SecretDemand, type Workload } from './lattice.ts';

/** What is known of a "blocked on security". Null: not known, which is never taken for the better answer. */
export interface BlockerFacts {
  readonly posture: EnvPosture;
  readonly maturity: Workload['maturity'] | null;
  readonly requiredMaturity: SecretDemand['requiredMaturity'] | null;
  readonly dataClass: SecretDemand['dataClass'] | null;
  /** Id of the catalogued route; null where there is none. */
  readonly route: string | null;
  readonly execCapable: boolean;
  /** Is unseal, break-glass or issuer custody unresolved? */
  readonly custodyOpen: boolean;
}

export type BlockerClass = 'removable_by_double' | 'ceremony' | 'real' | 'removable_by_access' | 'owner_custody';
export type BlockerQuestion = 'dev_or_test' | 'prod_real_values' | 'maturity' | 'route' | 'custody';
/** `unknown`: a fact is missing that the answer depends on. */
export type BlockerAnswer = 'yes' | 'no' | 'unknown';

export interface AnsweredQuestion {
  readonly id: BlockerQuestion;
  readonly question: string;
  readonly answer: BlockerAnswer;
  /** What follows from a yes, and what is missing for an answer. */
  readonly result: string | null;
}

export interface BlockerVerdict {
  readonly class: BlockerClass;
  /** Does the work have to wait? */
  readonly blocks: boolean;
  readonly verdict: string;
  /** What removes it, one step each. */
  readonly removes: readonly string[];
  readonly questions: readonly AnsweredQuestion[];
  /** What may be recorded. Never the value. */
  readonly evidence: readonly { readonly name: string; readonly value: string | null }[];
}

/** Goes through the five questions of the standard, all of them, and says which one decides. */
export function classifyBlocker(facts: BlockerFacts): BlockerVerdict {
  const prod = facts.posture === 'prod';
  const maturity = prod ? maturityBelow(facts) : { answer: 'no' as const, why: null };
  const route = facts.route !== null && facts.execCapable;
  const questions: AnsweredQuestion[] = [
    asked('dev_or_test', 'Is the work in dev or test posture only?', yes(!prod), RESULTS.dev_or_test),
    asked('prod_real_values', 'Is the work in prod posture, with real values?', yes(prod), RESULTS.prod_real_values),
    asked(
      'maturity',
      "Is the workload's maturity below the secret's required maturity or the floor of its data class?",
      maturity.answer,
      maturity.answer === 'unknown' ? maturity.why : RESULTS.maturity,
    ),
    asked('route', 'Is there a route, and is its lane exec-capable?', yes(route), RESULTS.route),
    asked('custody', 'Is unseal, break-glass or issuer custody unresolved?', yes(facts.custodyOpen), RESULTS.custody),
  ];
  return { ...decide(facts, maturity), questions, evidence: evidenceOf(facts) };
}

const RESULTS: Readonly<Record<BlockerQuestion, string>> = {
  dev_or_test: 'use synthetic doubles or generated test values; do not wait for real production secrets',
  prod_real_values:
    "the owner's custody (usually OpenBao), flex-auth policy where it applies, and evidence without secrets only",
  maturity:
    'a real blocker until the workload advances, the secret is classified anew, or the design avoids the secret',
  route: 'warden access may remove copy and paste as a blocker: it walks the lane as the caller',
  custody: "stays an operator's ceremony or a matter of design; no value handed to an agent papers over it",
};

type Decision = Pick<BlockerVerdict, 'class' | 'blocks' | 'verdict' | 'removes'>;
type MaturityAnswer = { readonly answer: BlockerAnswer; readonly why: string | null };

/** The gravest answer decides: what only people can resolve, then what the lattice forbids, then what needs an owner. */
function decide(facts: BlockerFacts, maturity: MaturityAnswer): Decision {
  if (facts.posture !== 'prod') {
    return {
      class: 'removable_by_double',
      blocks: false,
      verdict: `not blocked: work in ${facts.posture} needs no production secret`,
      removes:
        facts.posture === 'dev'
          ? ['run against the synthetic doubles of the dev posture']
          : ['generate a value for test in the test store, or run against the synthetic doubles'],
    };
  }
  if (facts.custodyOpen) {
    return {
      class: 'ceremony',
      blocks: true,
      verdict: "blocked: custody is unresolved, and that is an operator's ceremony",
      removes: [
        'hold the ceremony (unseal custody, break-glass, issuer) with the people who own it, and keep its record',
        ...(maturity.answer === 'no' ? [] : ['then settle maturity: it blocks of its own']),
      ],
    };
  }
  if (maturity.answer !== 'no') {
    return {
      class: 'real',
      blocks: true,
      verdict: maturity.answer === 'yes' ? `blocked for real: ${maturity.why}` : `taken for blocked: ${maturity.why}`,
      removes: [
        ...(maturity.answer === 'unknown' ? ['find out what is missing: --maturity, --required and --class'] : []),
        'advance the workload through the gate of its next level: warden policy',
        'have the owner classify the secret anew, where its class is wrong',
        'design without the secret',
      ],
    };
  }
  if (facts.route !== null && facts.execCapable) {
    return {
      class: 'removable_by_access',
      blocks: false,
      verdict: `not blocked: route ${facts.route} is walked as the caller`,
      removes: [`warden access ${facts.route} --exec or --fetch, with the owner's custody and policy in force`],
    };
  }
  return {
    class: 'owner_custody',
    blocks: true,
    verdict: 'belongs to the owner of the secret: real values in prod stay in its custody',
    removes: [
      facts.route === null
        ? 'have the owner catalogue a route for it in routes.yaml'
        : `have the owner make route ${facts.route} exec-capable, or hand over the work`,
      'see that flex-auth permits it, where the gate asks for it',
    ],
  };
}

function maturityBelow({ maturity, requiredMaturity, dataClass }: BlockerFacts): MaturityAnswer {
  const missing = [
    ...(maturity === null ? ["the workload's maturity"] : []),
    ...(requiredMaturity === null ? ["the secret's required maturity"] : []),
    ...(dataClass === null ? ["the secret's data class"] : []),
  ];
  if (maturity === null || requiredMaturity === null || dataClass === null) {
    const last = missing.at(-1) ?? '';
    const list = missing.length === 1 ? last : `${missing.slice(0, -1).join(', ')} and ${last}`;
    return { answer: 'unknown', why: `${list} ${missing.length === 1 ? 'is' : 'are'} not known` };
  }
  const verdict = canDeliver({ requiredMaturity, dataClass }, { posture: 'prod', maturity });
  if (verdict.permitted) return { answer: 'no', why: null };
  return {
    answer: 'yes',
    why: verdict.clauses
      .filter(({ held }) => !held)
      .map(clauseSentence)
      .join('; '),
  };
}

function evidenceOf(facts: BlockerFacts): BlockerVerdict['evidence'] {
  return [
    { name: 'route id', value: facts.route },
    { name: 'owner', value: null },
    { name: 'environment posture', value: facts.posture },
    { name: 'workload maturity', value: facts.maturity },
    { name: 'required maturity', value: facts.requiredMaturity },
    { name: 'data class', value: facts.dataClass },
    { name: 'policy decision id', value: null },
    { name: 'OpenBao path and version', value: null },
    { name: 'populated-key count', value: null },
    { name: 'smoke id', value: null },
    { name: 'token accessor', value: null },
  ];
}

function asked(id: BlockerQuestion, question: string, answer: BlockerAnswer, result: string | null): AnsweredQuestion {
  return { id, question, answer, result: answer === 'no' ? null : result };
}

function yes(held: boolean): BlockerAnswer {
  return held ? 'yes' : 'no';
}
