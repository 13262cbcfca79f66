import { MATURITIES, POSTURES } from '../src/kernel/posture.ts';
import { DATA_CLASSES } from '../src/posture/data-class.ts';
import { type Args, quoted, usageError } from './args.ts';

/** The value of an option that takes one of a few words; undefined where it is not given. @throws WardenError invalid_request */
export function oneOf<Word extends string>(args: Args, name: string, words: readonly Word[]): Word | undefined {
  const given = args.string(name);
  return given === undefined ? undefined : wordOf(given, words, `--${name}`);
}

export function wordOf<Word extends string>(given: string, words: readonly Word[], what: string): Word {
  const found = words.find((word) => word.toLowerCase() === given.toLowerCase());
  if (found === undefined) throw usageError(`${what} ${quoted(given)} is none of them`, `one of ${words.join(', ')}`);
  return found;
}

/** The same where it must be given. */
export function required<Word extends string>(args: Args, name: string, words: readonly Word[]): Word {
  const found = oneOf(args, name, words);
  if (found === undefined) {
    throw usageError(`warden ${args.command.name} needs --${name}`, `one of ${words.join(', ')}`);
  }
  return found;
}

export const WORDS = { posture: POSTURES, maturity: MATURITIES, required: MATURITIES, class: DATA_CLASSES } as const;
