#!/usr/bin/env -S node --
// The two dashes: some versions of Node take an `--env-file` out of anybody's arguments for their own.
import { readArgs } from './args.ts';
import type { GLOBAL_OPTIONS } from './command-spec.ts';
import { COMMANDS } from './commands.ts';
import { keepCompiledCode } from './compile-cache.ts';
import { findCommand } from './find-command.ts';
import { printCommand, printOverview } from './help.ts';
import { Output } from './output.ts';
import { reportError } from './report-error.ts';
import { stdio } from './stdio.ts';

/** Runs one command line; resolves to the exit code. */
async function main(words: readonly string[]): Promise<number> {
  const { env } = process;
  // Before the words are parsed an error must already know in which form it is wanted.
  const beforeEnd = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const asked = (name: keyof typeof GLOBAL_OPTIONS) =>
    beforeEnd.includes(`--${name}`) || (name === 'help' && beforeEnd.includes('-h'));
  const out = new Output({ stdout: stdio(1), stderr: stdio(2), json: asked('json'), quiet: asked('quiet'), env });
  let failsWith: number | undefined;
  try {
    // What every other program answers to.
    const found = await findCommand(COMMANDS, words[0] === '--version' ? ['version'] : words);
    if (found === null) {
      printOverview(COMMANDS, asked('help') ? out.line.bind(out) : out.error.bind(out));
      return asked('help') ? 0 : 2;
    }
    failsWith = found.command.failsWith;
    const args = await readArgs(found.command, found.rest);
    if (args.flag('help')) {
      printCommand(found.command, out);
      return 0;
    }
    const { run } = await found.command.load();
    return await run({ args, out, env, commands: COMMANDS });
  } catch (error) {
    if (env.WARDEN_DEBUG) stdio(2).write(`${error instanceof Error ? error.stack : String(error)}\n`);
    const code = reportError(error, out);
    return failsWith ?? code;
  }
}

keepCompiledCode(process.env);
main(process.argv.slice(2)).then((code) => process.exit(code));
