import type { Invocation } from '../invocation.ts';
import { explain } from './access.ts';

/** The decision, step by step, without its effect: `warden access ROUTE` under the name that sign and exec have. */
export async function run(invocation: Invocation): Promise<number> {
  return explain(invocation);
}
