import { quoted, usageError } from './args.ts';
import { type CommandSpec, GLOBAL_OPTIONS } from './command-spec.ts';

export interface Found<C extends CommandSpec> {
  readonly command: C;
  /** Every word but those of the command's name. */
  readonly rest: readonly string[];
}

/**
 * The command that the words name; global options may stand before it. Null where no command is named at all.
 * @throws WardenError invalid_request naming the nearest command
 */
export async function findCommand<C extends CommandSpec>(
  commands: readonly C[],
  words: readonly string[],
): Promise<Found<C> | null> {
  const at = firstCommandWord(words);
  const first = words[at];
  if (first === undefined) return null;
  const second = words[at + 1];
  const pair = commands.find((command) => command.name === `${first} ${second}`);
  if (pair !== undefined) return { command: pair, rest: [...words.slice(0, at), ...words.slice(at + 2)] };
  const one = commands.find((command) => command.name === first);
  if (one !== undefined) return { command: one, rest: [...words.slice(0, at), ...words.slice(at + 1)] };

  const family = commands.filter((command) => command.name.startsWith(`${first} `)).map((command) => command.name);
  if (family.length > 0) {
    const which = family.map((name) => name.slice(first.length + 1)).join(', ');
    const got = second === undefined || second.startsWith('-') ? 'which' : `${quoted(second)} is none of them`;
    throw usageError(
      `warden ${first} has these commands: ${which}; ${got === 'which' ? 'say which' : got}`,
      'see warden help',
    );
  }
  const { nearest } = await import('../src/config/nearest.ts');
  const names = commands.map((command) => command.name);
  const near = nearest(first, names) ?? nearest(`${first} ${second ?? ''}`, names);
  throw usageError(
    `there is no command ${quoted(first)}`,
    near === null ? 'see warden help' : `did you mean warden ${near}?`,
  );
}

function firstCommandWord(words: readonly string[]): number {
  let at = 0;
  for (let word = words[at]; word?.startsWith('-'); word = words[at]) {
    const name = word.replace(/^--/, '');
    const takesValue =
      Object.hasOwn(GLOBAL_OPTIONS, name) && GLOBAL_OPTIONS[name as keyof typeof GLOBAL_OPTIONS].type === 'string';
    at += takesValue ? 2 : 1;
  }
  return at;
}
