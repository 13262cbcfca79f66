import type { RouteCommand } from './route.ts';

/** A command as it would run. */
export interface CandidateCommand {
  /** The folder resolved, the last name as it stands there. */
  readonly program: string;
  /** Without argv[0]. */
  readonly args: readonly string[];
  /** Lower-case hex; null: not read, since no entry pins it. */
  readonly sha256: string | null;
}

/** How near a command came to the list, the nearest entry counting. */
export type CommandVerdict = 'allowed' | 'other_program' | 'other_arguments' | 'other_digest';

/** Whether one entry of the list admits the command. Paths are compared as they stand: both sides come resolved. */
export function matchCommand(commands: readonly RouteCommand[], candidate: CandidateCommand): CommandVerdict {
  let nearest: CommandVerdict = 'other_program';
  for (const { path, argv, sha256 } of commands) {
    if (path !== candidate.program) continue;
    if (!matchArguments(argv, candidate.args)) {
      if (nearest === 'other_program') nearest = 'other_arguments';
    } else if (sha256 !== null && sha256 !== candidate.sha256) nearest = 'other_digest';
    else return 'allowed';
  }
  return nearest;
}

/** Literal but for `*`, which is any one argument, and a `**` at the end, which is any number. */
export function matchArguments(pattern: readonly string[], args: readonly string[]): boolean {
  const rest = pattern.at(-1) === '**';
  const fixed = rest ? pattern.slice(0, -1) : pattern;
  if (rest ? args.length < fixed.length : args.length !== fixed.length) return false;
  return fixed.every((element, index) => element === '*' || element === args[index]);
}

/** `/usr/bin/npm publish **`, as people read it. */
export function commandText({ path, argv }: RouteCommand): string {
  return [path, ...argv].map((word) => (/^[\w@%+=:,./*-]+$/.test(word) ? word : JSON.stringify(word))).join(' ');
}
