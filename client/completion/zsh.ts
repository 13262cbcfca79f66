// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is written here is a shell's code.
import { type CommandSpec, type Completion, GLOBAL_OPTIONS, type OptionSpec } from '../command-spec.ts';
import { type Commands, firstWords, quote, secondWords } from './words.ts';

export function zshCompletion(commands: Commands): string {
  const lines = [
    '#compdef warden',
    '# zsh completion of warden: source <(warden completion zsh), or as _warden in a folder of $fpath',
    '_warden_actors() { compadd -- ${(f)"$(warden actors --quiet 2>/dev/null)"} }',
    '_warden() {',
    '  local curcontext="$curcontext" state line',
    '  local -a globals',
    `  globals=(${Object.entries(GLOBAL_OPTIONS)
      .map((entry) => zshOption(entry))
      .join(' ')})`,
    "  _arguments -C $globals '1:command:->command' '*::argument:->argument'",
    '  case $state in',
    `    command) compadd -- ${firstWords(commands).join(' ')} ;;`,
    '    argument)',
    '      case $words[1] in',
  ];
  for (const first of firstWords(commands)) {
    const own = commands.find(({ name }) => name === first);
    const second = secondWords(commands, first);
    lines.push(`        ${first})`);
    if (second.length > 0) {
      lines.push('          case $words[2] in');
      for (const word of second) {
        const command = commands.find(({ name }) => name === `${first} ${word}`);
        if (command !== undefined)
          lines.push(`            ${word}) shift words; ((CURRENT--)); ${zshArguments(command, commands)} ;;`);
      }
      // `policy` is a command and the beginning of one: its own options stand beside the second words.
      const alone = own === undefined ? '' : `; ${zshArguments(own, commands)}`;
      lines.push(`            *) compadd -- ${second.join(' ')}${alone} ;;`, '          esac');
    } else if (own !== undefined) lines.push(`          ${zshArguments(own, commands)}`);
    lines.push('          ;;');
  }
  lines.push('      esac', '      ;;', '  esac', '}', 'compdef _warden warden');
  return `${lines.join('\n')}\n`;
}

function zshArguments(command: CommandSpec, commands: Commands): string {
  const options = Object.entries(command.options).map((entry) => zshOption(entry));
  const places = command.positionals.map(({ name, complete }, index) =>
    quote(`${index + 1}:${name}:${zshOffer(complete, commands)}`),
  );
  return ['_arguments $globals', ...options, ...places].join(' ');
}

function zshOption([name, { type, value, multiple, summary, complete }]: [string, OptionSpec]): string {
  const text = summary.replace(/[[\]:\\]/g, (character) => `\\${character}`);
  const head = `${multiple === true ? '*' : ''}--${name}`;
  return quote(
    type === 'boolean' ? `${head}[${text}]` : `${head}[${text}]:${value ?? 'VALUE'}:${zshOffer(complete, [])}`,
  );
}

function zshOffer(complete: Completion | undefined, commands: Commands): string {
  if (complete === 'file') return '_files';
  if (complete === 'folder') return '_files -/';
  if (complete === 'actor') return '_warden_actors';
  const words = complete === 'command' ? firstWords(commands) : (complete ?? []);
  return words.length === 0 ? ' ' : `(${words.join(' ')})`;
}
