import { quoted, usageError } from '../args.ts';
import type { CommandSpec } from '../command-spec.ts';
import { bashCompletion } from '../completion/bash.ts';
import { fishCompletion } from '../completion/fish.ts';
import { zshCompletion } from '../completion/zsh.ts';
import type { Invocation } from '../invocation.ts';

const SHELLS: Readonly<Record<string, (commands: readonly CommandSpec[]) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export async function run({ args, out, commands }: Invocation): Promise<number> {
  const shell = args.positional(0);
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (script === undefined) throw usageError(`no completion for ${quoted(shell)}`, 'one of bash, zsh, fish');
  out.raw(script(commands));
  return 0;
}
