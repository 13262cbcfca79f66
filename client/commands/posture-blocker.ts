import { type BlockerFacts, type BlockerVerdict, classifyBlocker } from '../../src/posture/blocker.ts';
import { usageError } from '../args.ts';
import { withQuestions } from '../ask.ts';
import type { Invocation } from '../invocation.ts';
import { columns, type Output } from '../output.ts';
import { oneOf, WORDS, wordOf } from '../posture-options.ts';

const YES_NO = ['yes', 'no'] as const;
const CUSTODY = ['resolved', 'unresolved'] as const;

/** Is "blocked on security" true, whose is it, and what removes it? */
export async function run({ args, out }: Invocation): Promise<number> {
  const posture = oneOf(args, 'posture', WORDS.posture);
  const custody = oneOf(args, 'custody', CUSTODY);
  const route = args.string('route');
  if (route !== undefined && !ROUTE.test(route)) throw usageError('--route is no route id', 'such as npm-publish');
  if (args.flag('exec-capable') && route === undefined) {
    throw usageError('--exec-capable says something of a route', 'name it: --route ID');
  }
  let facts: BlockerFacts;
  if (posture !== undefined) {
    facts = {
      posture,
      maturity: oneOf(args, 'maturity', WORDS.maturity) ?? null,
      requiredMaturity: oneOf(args, 'required', WORDS.required) ?? null,
      dataClass: oneOf(args, 'class', WORDS.class) ?? null,
      route: route ?? null,
      execCapable: args.flag('exec-capable'),
      custodyOpen: custody === 'unresolved',
    };
  } else if (process.stdin.isTTY && !out.json) facts = await askFacts();
  else {
    throw usageError(
      'posture blocker needs --posture, since there is no terminal to ask at',
      'give what is known: --posture prod --maturity M1 --required M2 --class internal',
    );
  }
  const verdict = classifyBlocker(facts);
  if (out.json) out.object(verdict);
  else print(verdict, out);
  return 0;
}

const ROUTE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The five questions, in the order of the standard; an empty answer is "not known". */
function askFacts(): Promise<BlockerFacts> {
  return withQuestions(async (ask) => {
    const pick = async <Word extends string>(question: string, words: readonly Word[]): Promise<Word | null> => {
      for (;;) {
        const answer = await ask(`${question} (${words.join(', ')}): `);
        if (answer === '') return null;
        try {
          return wordOf(answer, words, 'that');
        } catch {
          // Asked again: the words stand in the question.
        }
      }
    };
    let posture = null;
    while (posture === null) posture = await pick('1-2. In which posture is the work', WORDS.posture);
    const inProd = posture === 'prod';
    const maturity = inProd ? await pick('3. Maturity of the workload', WORDS.maturity) : null;
    const requiredMaturity = inProd ? await pick('   Maturity that the secret requires', WORDS.required) : null;
    const dataClass = inProd ? await pick('   Data class of the secret', WORDS.class) : null;
    const named = await ask('4. Id of the route, empty for none: ');
    const route = ROUTE.test(named) ? named : null;
    const execCapable = route !== null && (await pick('   Is its lane exec-capable', YES_NO)) === 'yes';
    const custodyOpen = (await pick('5. Unseal, break-glass and issuer custody', CUSTODY)) === 'unresolved';
    return { posture, maturity, requiredMaturity, dataClass, route, execCapable, custodyOpen };
  });
}

function print({ verdict, blocks, removes, questions, evidence }: BlockerVerdict, out: Output): void {
  const style = blocks ? 'red' : 'green';
  out.line({ text: verdict, style });
  for (const step of removes) out.line(`  do: ${step}`);
  out.note('');
  out.note({ text: 'the five questions', style: 'bold' });
  for (const { question, answer, result } of questions) {
    out.note(`  ${answer.padEnd(7)}  ${question}`);
    if (result !== null) out.note(`           ${result}`);
  }
  out.note('');
  out.note({ text: 'what to record, and never the value', style: 'bold' });
  for (const row of columns(evidence.map(({ name, value }) => [`  ${name}`, value ?? '-']))) out.note(row);
}
