import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from '../command-spec.ts';

export type Commands = readonly CommandSpec[];

/** The options of a command with the global ones. */
export function allOptions(command: CommandSpec): [string, OptionSpec][] {
  return Object.entries({ ...command.options, ...GLOBAL_OPTIONS });
}

export function firstWords(commands: Commands): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? ''))];
}

/** The second words of `ledger` and the like. */
export function secondWords(commands: Commands, first: string): string[] {
  return commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.slice(first.length + 1));
}

/** In single quotes for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
