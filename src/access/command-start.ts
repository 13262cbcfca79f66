import { WardenError } from '../kernel/errors.ts';
import type { Secret } from '../kernel/secret.ts';
import { commandEnvironment, type EnvironmentHold, type Variable } from './command-environment.ts';
import type { PinnedFile } from './command-files.ts';
import type { CommandStart, Delivery, Terminal } from './command-runner.ts';
import type { PlannedRoute } from './injection-plan.ts';
import type { Route } from './route.ts';
import type { Walked } from './walk.ts';

export interface StartInput {
  readonly argv: readonly string[];
  readonly environment: readonly Variable[];
  readonly additions: readonly Variable[];
  readonly pristine: boolean;
  readonly noNetwork: boolean;
  readonly terminal: Terminal | null;
  readonly jobControl: boolean;
  readonly connection: CommandStart['connection'];
}

/**
 * What is handed to the runner: each value in the place that was planned for it, none of them in argv. `walks` stand
 * in the order of `planned`. @throws WardenError route_unusable where a route gave less than was planned
 */
export function commandStart(
  { program, pinned }: { readonly program: string; readonly pinned: Pick<PinnedFile, 'copy'> | null },
  planned: readonly PlannedRoute[],
  walks: readonly Walked[],
  input: StartInput,
): CommandStart {
  const injected: Variable[] = [];
  const deliveries: Delivery[] = [];
  let stdin: Secret | 'caller' = 'caller';
  planned.forEach(({ route, injections }, index) => {
    for (const injection of injections) {
      const value = walks[index]?.fields.get(injection.field);
      if (value === undefined) throw new WardenError('route_unusable', `${route.id} gave no ${injection.field}`);
      switch (injection.kind) {
        case 'env':
          injected.push([injection.variable, value]);
          break;
        case 'file':
          deliveries.push({ kind: 'file', variable: injection.variable, value });
          break;
        case 'fd':
          deliveries.push({ kind: 'fd', descriptor: injection.descriptor, value });
          break;
        case 'stdin':
          stdin = value;
          break;
      }
    }
  });
  const { environment, additions, pristine, noNetwork, terminal, jobControl, argv, connection } = input;
  return {
    program,
    copy: pinned?.copy ?? null,
    argv,
    env: commandEnvironment({ environment, additions, pristine, held: holdOf(planned), injected }),
    deliveries,
    stdin,
    terminal,
    jobControl: jobControl && terminal !== null,
    network: !noNetwork,
    connection,
  };
}

/** The strictest that one of the routes asks for. */
export function holdOf(planned: readonly { readonly route: Pick<Route, 'commands' | 'pristine'> }[]): EnvironmentHold {
  if (planned.some(({ route }) => route.pristine)) return 'pristine';
  return planned.some(({ route }) => route.commands !== null) ? 'listed' : 'open';
}
