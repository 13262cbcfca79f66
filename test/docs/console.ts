/** One command of a console block, and what a reader is shown of it. */
export interface ShownCommand {
  /** Of the Markdown file, from 1. */
  readonly line: number;
  /** What is typed; several lines where `> ` goes on. */
  readonly command: string;
  /** What is printed. `…` in a line stands for any text, a line of `…` alone for any lines. */
  readonly output: readonly string[];
}

/** The commands of all console blocks of a Markdown text, in order. */
export function shownCommands(markdown: string): ShownCommand[] {
  const found: { line: number; command: string; output: string[] }[] = [];
  let inside = false;
  for (const [index, text] of markdown.split('\n').entries()) {
    if (text.startsWith('```')) inside = text === '```console';
    else if (inside) {
      const last = found.at(-1);
      if (text.startsWith('$ ')) found.push({ line: index + 1, command: text.slice(2), output: [] });
      else if (text.startsWith('> ') && last?.output.length === 0) last.command += `\n${text.slice(2)}`;
      else if (text !== '' || last?.output.length) last?.output.push(text);
    }
  }
  return found.map((command) => ({ ...command, output: trimmed(command.output) }));
}

function trimmed(lines: readonly string[]): string[] {
  const end = lines.findLastIndex((line) => line !== '');
  return lines.slice(0, end + 1);
}

/** A pattern that holds for the whole output where it is as shown. */
export function asPattern(shown: readonly string[]): RegExp {
  const lines = shown.map((line) => (line === '…' ? '(?:.*\\n)*?' : `${line.split('…').map(escaped).join('.*?')}\\n`));
  return new RegExp(`^${lines.join('')}$`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
