import { expect } from 'vitest';
import { asPattern, type ShownCommand } from './console.ts';
import type { Shell } from './shell.ts';

export interface Followed {
  readonly file: string;
  /** Puts something of this run in the place of what the page names, in commands and in output alike. */
  readonly replace?: (text: string) => string;
  /** What is typed in place of a command, where a test cannot type it as a person does. */
  readonly typed?: (command: string) => string;
}

/**
 * Types the commands of a page one after the other. Each prints what the page shows, and ends with code 0 unless the
 * page itself asks for the code afterwards.
 */
export async function follow(
  shell: Shell,
  commands: readonly ShownCommand[],
  { file, replace = (text) => text, typed = (text) => text }: Followed,
): Promise<void> {
  for (const [index, { line, command, output }] of commands.entries()) {
    const place = `${file}:${line}: $ ${command}`;
    const ran = await shell.run(typed(replace(command)));
    const printed = ran.output === '' || ran.output.endsWith('\n') ? ran.output : `${ran.output}\n`;
    const shown = output.map(replace);
    if (!asPattern(shown).test(printed)) expect(printed, place).toBe(`${shown.join('\n')}\n`);
    const codeIsShown = commands[index + 1]?.command === 'echo $?';
    if (!codeIsShown) expect({ place, code: ran.code, printed }).toEqual({ place, code: 0, printed });
  }
}
