import type { Args } from './args.ts';
import type { CommandSpec } from './command-spec.ts';
import type { Output } from './output.ts';

/** What one command gets to work with. */
export interface Invocation {
  readonly args: Args;
  readonly out: Output;
  /** All there are: for help and completion. */
  readonly commands: readonly CommandSpec[];
  readonly env: Readonly<Record<string, string | undefined>>;
}
