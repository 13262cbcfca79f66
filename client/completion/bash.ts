// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what is written here is a shell's code.
import { type Completion, GLOBAL_OPTIONS, type OptionSpec } from '../command-spec.ts';
import { allOptions, type Commands, firstWords, quote, secondWords } from './words.ts';

/** What bash offers for one place, as a command that fills COMPREPLY. */
function bashOffer(complete: Completion | undefined, commands: Commands): string {
  if (complete === 'file') return '_warden_files -f';
  if (complete === 'folder') return '_warden_files -d';
  if (complete === 'actor') return '_warden_actors';
  const words = complete === 'command' ? firstWords(commands) : (complete ?? []);
  return words.length === 0 ? ':' : `_warden_words ${quote(words.join(' '))}`;
}

export function bashCompletion(commands: Commands): string {
  const lines = [
    '# bash completion of warden: source <(warden completion bash)',
    '_warden_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }',
    '_warden_files() { compopt -o filenames; mapfile -t COMPREPLY < <(compgen "$1" -- "$cur"); }',
    '_warden_actors() { _warden_words "$("${COMP_WORDS[0]}" actors --quiet 2>/dev/null)"; }',
    '_warden() {',
    '  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word command= place=0 skip=0 i',
    '  COMPREPLY=()',
    '  for ((i = 1; i < COMP_CWORD; i++)); do',
    '    word=${COMP_WORDS[i]}',
    '    if ((skip)); then skip=0; continue; fi',
    '    case "$command:$word" in',
    '      *:-*) case " $(_warden_valued "$command") " in *" $word "*) skip=1 ;; esac ;;',
    ...commands
      .filter(({ name }) => name.includes(' '))
      .map(({ name }) => `      ${quote(name.replace(' ', ':'))}) command=${quote(name)}; place=0 ;;`),
    '      :*) command=$word ;;',
    '      *) place=$((place + 1)) ;;',
    '    esac',
    '  done',
    '  if ((skip)); then',
    '    case "$command:$prev" in',
    ...commands.flatMap((command) =>
      Object.entries(command.options)
        .filter(([, { type }]) => type === 'string')
        .map(
          ([name, { complete }]) => `      ${quote(`${command.name}:--${name}`)}) ${bashOffer(complete, commands)} ;;`,
        ),
    ),
    `      *:--socket) _warden_files -f ;;`,
    `      *:--config) _warden_files -d ;;`,
    '    esac',
    '    return',
    '  fi',
    '  if [[ $cur == -* ]]; then _warden_words "$(_warden_options "$command")"; return; fi',
    '  case "$command:$place" in',
    `    :0) _warden_words ${quote(firstWords(commands).join(' '))} ;;`,
    ...firstWords(commands).flatMap((first) => {
      const second = secondWords(commands, first);
      return second.length === 0 ? [] : [`    ${quote(`${first}:0`)}) _warden_words ${quote(second.join(' '))} ;;`];
    }),
    ...commands.flatMap((command) =>
      command.positionals
        .map((positional, index) => [positional, index] as const)
        .filter(([{ complete }]) => complete !== undefined)
        .map(
          ([{ complete }, index]) => `    ${quote(`${command.name}:${index}`)}) ${bashOffer(complete, commands)} ;;`,
        ),
    ),
    '  esac',
    '}',
    ...caseFunction('_warden_options', commands, () => true),
    ...caseFunction('_warden_valued', commands, ({ type }) => type === 'string'),
    'complete -F _warden warden',
  ];
  return `${lines.join('\n')}\n`;
}

/** A shell function that prints the options of the command in $1 for which `wanted` holds. */
function caseFunction(name: string, commands: Commands, wanted: (option: OptionSpec) => boolean): string[] {
  const list = (options: [string, OptionSpec][]) =>
    options
      .filter(([, option]) => wanted(option))
      .map(([option]) => `--${option}`)
      .join(' ');
  return [
    `${name}() {`,
    '  case "$1" in',
    ...commands.map((command) => `    ${quote(command.name)}) echo ${quote(list(allOptions(command)))} ;;`),
    `    *) echo ${quote(list(Object.entries(GLOBAL_OPTIONS)))} ;;`,
    '  esac',
    '}',
  ];
}
