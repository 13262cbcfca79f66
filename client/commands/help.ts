import { findCommand } from '../find-command.ts';
import { printCommand, printOverview } from '../help.ts';
import type { Invocation } from '../invocation.ts';

export async function run({ args, out, commands }: Invocation): Promise<number> {
  if (args.flag('markdown')) {
    const { cliPage } = await import('../docs.ts');
    out.raw(cliPage(commands));
    return 0;
  }
  const words = [args.positional(0), args.positional(1)].filter((word) => word !== '');
  const family = commands.filter(({ name }) => name.startsWith(`${words[0]} `));
  if (words.length === 0) printOverview(commands, (text) => out.line(text));
  else if (words.length === 1 && family.length > 0 && !commands.some(({ name }) => name === words[0])) {
    printOverview(family, (text) => out.line(text));
  } else {
    const found = await findCommand(commands, words);
    if (found !== null) printCommand(found.command, out);
  }
  return 0;
}
