#!/usr/bin/env node
import module from 'node:module';
import { readArgs } from './args.ts';
import type { GLOBAL_OPTIONS } from './command-spec.ts';
import { COMMANDS } from './commands.ts';
import { findCommand } from './find-command.ts';
import { Output } from './output.ts';
import { reportError } from './report-error.ts';

/** Runs one command line; resolves to the exit code. */
async function main(words: readonly string[]): Promise<number> {
  const { env } = process;
  // Before the words are parsed an error must already know in which form it is wanted.
  const beforeEnd = words.includes('--') ? words.slice(0, words.indexOf('--')) : words;
  const asked = (name: keyof typeof GLOBAL_OPTIONS) => beforeEnd.includes(`--${name}`);
  const { stdout, stderr } = process;
  const out = new Output({ stdout, stderr, json: asked('json'), quiet: asked('quiet'), env });
  try {
    // What every other program answers to.
    const found = await findCommand(COMMANDS, words[0] === '--version' ? ['version'] : words);
    if (found === null) {
      const { printOverview } = await import('./help.ts');
      printOverview(COMMANDS, asked('help') ? out.line.bind(out) : out.error.bind(out));
      return asked('help') ? 0 : 2;
    }
    const args = await readArgs(found.command, found.rest);
    if (args.flag('help')) {
      const { printCommand } = await import('./help.ts');
      printCommand(found.command, out);
      return 0;
    }
    const { run } = await found.command.load();
    return await run({ args, out, env, commands: COMMANDS });
  } catch (error) {
    if (env.WARDEN_DEBUG) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    return reportError(error, out);
  }
}

// A reader that left (`warden actors | head -1`) is no failure worth a stack trace.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 5);
  });
}
// Absent on Node 20; from 22.1 on it halves the time to load this file.
if ('enableCompileCache' in module) (module.enableCompileCache as () => void)();

main(process.argv.slice(2)).then((code) => process.exit(code));
