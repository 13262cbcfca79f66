import { parseArgs } from 'node:util';
import { parseDuration, parseTtl } from '../src/kernel/duration.ts';
import { WardenError } from '../src/kernel/errors.ts';
import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from './command-spec.ts';

/** What the user typed wrongly, with the mend. Exit code 2. */
export function usageError(message: string, hint?: string): WardenError {
  return new WardenError('invalid_request', message, hint === undefined ? {} : { hint });
}

/** The parsed words of one command. Asking for an option that the command does not declare is a defect and throws. */
export class Args {
  readonly command: CommandSpec;
  readonly #values: ReadonlyMap<string, readonly string[]>;
  readonly #positionals: readonly string[];

  constructor(command: CommandSpec, values: ReadonlyMap<string, readonly string[]>, positionals: readonly string[]) {
    this.command = command;
    this.#values = values;
    this.#positionals = positionals;
  }

  /** Every value of a repeatable option, in order. */
  strings(name: string): readonly string[] {
    if (optionOf(this.command, name) === undefined) throw new Error(`${this.command.name} has no option --${name}`);
    return this.#values.get(name) ?? [];
  }

  string(name: string): string | undefined {
    return this.strings(name)[0];
  }

  flag(name: string): boolean {
    return this.strings(name).length > 0;
  }

  /** The nth positional; required ones are there. */
  positional(index: number): string {
    return this.#positionals[index] ?? '';
  }

  /** The words from the nth positional on. */
  positionals(from: number): readonly string[] {
    return this.#positionals.slice(from);
  }

  /** In whole seconds; 0 where the option is not given. */
  ttlSeconds(name: string): bigint {
    const text = this.string(name);
    if (text === undefined) return 0n;
    const seconds = parseTtl(text);
    if (seconds === null) {
      throw usageError(`--${name} ${quoted(text)} is no time`, 'write 90m, 8h or a bare number of hours');
    }
    return BigInt(seconds);
  }

  /** In milliseconds; undefined where the option is not given. */
  durationMs(name: string): number | undefined {
    const text = this.string(name);
    if (text === undefined) return undefined;
    const ms = parseDuration(text);
    if (ms === null) throw usageError(`--${name} ${quoted(text)} is no duration`, 'write 30s, 90m, 8h or 30d');
    return ms;
  }

  /** A whole number within bounds; undefined where the option is not given. */
  integer(name: string, least: number, most: number): number | undefined {
    const text = this.string(name);
    if (text === undefined) return undefined;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) {
      throw usageError(`--${name} ${quoted(text)} is no number from ${least} to ${most}`);
    }
    return value;
  }
}

function optionOf(command: CommandSpec, name: string): OptionSpec | undefined {
  if (Object.hasOwn(command.options, name)) return command.options[name];
  return Object.hasOwn(GLOBAL_OPTIONS, name) ? GLOBAL_OPTIONS[name as keyof typeof GLOBAL_OPTIONS] : undefined;
}

/** What the user typed, short enough to show. */
export function quoted(text: string): string {
  return `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`;
}

/**
 * The words after a command's name. @throws WardenError invalid_request naming the nearest known option
 */
export async function readArgs(command: CommandSpec, words: readonly string[]): Promise<Args> {
  const options: Record<string, OptionSpec> = { ...GLOBAL_OPTIONS, ...command.options };
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => [name, { type, ...(short !== undefined && { short }) }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  let beforeEnd: number | null = null;
  const seeHelp = `see warden help ${command.name}`;
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'option-terminator') beforeEnd = positionals.length;
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    // Options of a command before which -- was forgotten are none of ours.
    if (option === undefined) refuseBeforeEnd(command, positionals.slice(0, beforeEnd ?? undefined));
    if (option === undefined) throw await unknownOption(token.rawName, Object.keys(options), seeHelp);
    if (option.type === 'boolean' && token.value !== undefined) {
      throw usageError(`--${token.name} takes no value`, seeHelp);
    }
    if (option.type === 'string') {
      if (token.value === undefined) throw usageError(`--${token.name} needs a ${option.value ?? 'value'}`, seeHelp);
      if (!token.inlineValue && /^-./.test(token.value)) {
        throw usageError(
          `--${token.name} needs a ${option.value ?? 'value'}, and ${quoted(token.value)} looks like an option`,
          `write --${token.name}=${token.value} where it is the value`,
        );
      }
    }
    const given = values.get(token.name);
    if (given === undefined) values.set(token.name, [token.value ?? '']);
    else if (option.multiple === true) given.push(token.value ?? '');
    else if (option.type === 'string') throw usageError(`--${token.name} is given twice`, seeHelp);
  }
  if (!values.has('help')) checkPositionals(command, positionals, beforeEnd ?? positionals.length, seeHelp);
  return new Args(command, values, positionals);
}

/** `beforeEnd`: how many stand before `--`. */
function checkPositionals(command: CommandSpec, given: readonly string[], beforeEnd: number, seeHelp: string): void {
  const missing = command.positionals.find((positional, index) => positional.required && given[index] === undefined);
  if (missing !== undefined) throw usageError(`warden ${command.name} needs ${missing.name}`, seeHelp);
  refuseBeforeEnd(command, given.slice(0, beforeEnd));
  const extra = command.positionals.at(-1)?.rest === true ? undefined : given[command.positionals.length];
  if (extra !== undefined) throw usageError(`warden ${command.name} does not take ${quoted(extra)}`, seeHelp);
}

/** Where the last of what a command takes is another command line, all of that stands behind `--`. */
function refuseBeforeEnd({ name, positionals }: CommandSpec, before: readonly string[]): void {
  const extra = positionals.at(-1)?.rest === true ? before[positionals.length - 1] : undefined;
  if (extra === undefined) return;
  throw usageError(`warden ${name} does not take ${quoted(extra)} before --`, 'put -- before the command');
}

async function unknownOption(raw: string, known: readonly string[], seeHelp: string): Promise<WardenError> {
  const { nearest } = await import('../src/config/nearest.ts');
  const near = nearest(raw.replace(/^-+/, ''), known);
  return usageError(
    `there is no option ${quoted(raw)}`,
    near === null ? seeHelp : `did you mean --${near}? ${seeHelp}`,
  );
}
