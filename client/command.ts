import type { CommandSpec } from './command-spec.ts';
import type { Invocation } from './invocation.ts';

/** A command with its code, which is initialised only when it is called. */
export interface Command extends CommandSpec {
  /** `run` resolves to the exit code. */
  readonly load: () => Promise<{ run(invocation: Invocation): Promise<number> }>;
}
