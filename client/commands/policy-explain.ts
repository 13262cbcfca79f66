import { postureRow } from '../../src/posture/descriptor.ts';
import { type Clause, canDeliver, canRelease, clauseSentence, type Verdict } from '../../src/posture/lattice.ts';
import { verdictJson } from '../../src/posture/report/json.ts';
import type { Invocation } from '../invocation.ts';
import type { Output, Piece } from '../output.ts';
import { required, WORDS } from '../posture-options.ts';

/** One case of the lattice, clause by clause. Exit code 0 where a real value may flow, 1 where it may not. */
export async function run({ args, out }: Invocation): Promise<number> {
  const posture = required(args, 'posture', WORDS.posture);
  const maturity = required(args, 'maturity', WORDS.maturity);
  const requiredMaturity = required(args, 'required', WORDS.required);
  const dataClass = required(args, 'class', WORDS.class);
  const secret = { requiredMaturity, dataClass };
  const workload = { posture, maturity };
  const { material } = postureRow(posture);
  const deliver = canDeliver(secret, workload);
  const release = canRelease(secret, workload, material);
  if (out.json) {
    out.object({
      secret: { required_maturity: requiredMaturity, data_class: dataClass },
      workload: { posture, maturity },
      deliver: verdictJson(deliver),
      release: { material, ...verdictJson(release) },
    });
  } else {
    out.line(
      `a secret of class ${dataClass} that requires ${requiredMaturity}, to a workload of ${maturity} in ${posture}`,
    );
    out.line('');
    print('a real value', deliver, out);
    if (posture !== 'prod') {
      out.line('');
      print(posture === 'dev' ? 'a synthetic value of a double' : 'a value generated for test', release, out);
    }
  }
  return deliver.permitted ? 0 : 1;
}

function print(what: string, verdict: Verdict, out: Output): void {
  out.line({ text: what, style: 'bold' }, ': ', mark(verdict.permitted, 'permitted', 'refused'));
  for (const clause of verdict.clauses) out.line('  ', mark(clause.held, 'holds', 'fails'), `  ${sentence(clause)}`);
}

function sentence(clause: Clause): string {
  return `${clause.id}: ${clauseSentence(clause)}`;
}

function mark(held: boolean, yes: string, no: string): Piece {
  return held ? { text: yes, style: 'green' } : { text: no, style: 'red' };
}
