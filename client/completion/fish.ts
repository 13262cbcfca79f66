import { type Completion, GLOBAL_OPTIONS, type OptionSpec } from '../command-spec.ts';
import { type Commands, firstWords, quote, secondWords } from './words.ts';

export function fishCompletion(commands: Commands): string {
  const lines = ['# fish completion of warden', 'complete -c warden -f'];
  const seen = (first: string, second: string | undefined): string =>
    second === undefined
      ? `__fish_seen_subcommand_from ${first}`
      : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`;
  for (const first of firstWords(commands)) {
    const own = commands.find(({ name }) => name === first);
    const summary = own?.summary ?? `${first}: ${secondWords(commands, first).join(', ')}`;
    lines.push(`complete -c warden -n __fish_use_subcommand -a ${first} -d ${quote(summary)}`);
    for (const second of secondWords(commands, first)) {
      const command = commands.find(({ name }) => name === `${first} ${second}`);
      lines.push(
        `complete -c warden -n ${quote(seen(first, undefined))} -a ${second} -d ${quote(command?.summary ?? '')}`,
      );
    }
  }
  for (const [name, option] of Object.entries(GLOBAL_OPTIONS)) lines.push(fishOption('', name, option));
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ');
    const when = seen(first, second);
    for (const [name, option] of Object.entries(command.options)) lines.push(fishOption(when, name, option));
    for (const { complete } of command.positionals) {
      const offer = fishOffer(complete, commands);
      if (offer !== '') lines.push(`complete -c warden -n ${quote(when)}${offer}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function fishOption(when: string, name: string, option: OptionSpec): string {
  // Without -x fish offers the files that lie about beside, or instead of, what the option takes.
  const needs = option.complete === 'file' ? ' -r' : ' -x';
  const value = option.type === 'string' ? `${needs}${fishOffer(option.complete, [])}` : '';
  const short = option.short === undefined ? '' : ` -s ${option.short}`;
  const condition = when === '' ? '' : ` -n ${quote(when)}`;
  return `complete -c warden${condition} -l ${name}${short}${value} -d ${quote(option.summary)}`;
}

function fishOffer(complete: Completion | undefined, commands: Commands): string {
  if (complete === 'file') return ' -F';
  if (complete === 'folder') return ` -a '(__fish_complete_directories)'`;
  if (complete === 'actor') return ` -a '(warden actors --quiet 2>/dev/null)'`;
  const words = complete === 'command' ? firstWords(commands) : (complete ?? []);
  return words.length === 0 ? '' : ` -a ${quote(words.join(' '))}`;
}
