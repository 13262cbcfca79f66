import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';

/** 0 where the files are in force, 2 where they have problems and the old snapshot stays. */
export async function run(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const answer = await withDaemon(invocation, (channel) => channel.unary(fullName, methods.reload, {}));
  const { changed, generation, hash, changes, problems } = answer;
  if (out.json) out.object({ changed, generation, hash, changes, problems });
  else {
    for (const problem of problems) {
      const [what = '', ...mend] = problem.split('\n');
      out.error({ text: 'problem: ', style: 'red' }, what);
      for (const line of mend) out.error(line);
    }
    for (const change of changes) out.line(change);
    if (problems.length > 0) out.error(`generation ${generation} stays in force`);
    else out.note(changed ? `generation ${generation} is in force` : `nothing changed; generation ${generation} stays`);
  }
  return problems.length > 0 ? 2 : 0;
}
