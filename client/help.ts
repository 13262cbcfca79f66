import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from './command-spec.ts';
import { columns, type Output } from './output.ts';

/** `warden` alone: one line a command. */
export function printOverview(commands: readonly CommandSpec[], line: (text: string) => void): void {
  line('warden: SSH certificates, secrets, and commands with secrets, from the local wardend');
  line('');
  for (const row of columns(commands.map(({ name, summary }) => [`  ${name}`, summary]))) line(row);
  line('');
  line('warden help COMMAND says more; warden demo shows it all.');
}

/** `warden sign ACTOR [options]`. */
export function usageOf(command: CommandSpec): string {
  const words = command.positionals.map(({ name, required, rest }) => {
    if (rest === true) return required ? `-- ${name}…` : `[-- ${name}…]`;
    return required ? name : `[${name}]`;
  });
  const hasOptions = Object.keys(command.options).length > 0;
  const options = hasOptions ? ['[options]'] : [];
  const takesRest = command.positionals.at(-1)?.rest === true;
  return ['warden', command.name, ...(takesRest ? [...options, ...words] : [...words, ...options])].join(' ');
}

/** `--ttl TTL`, `-o, --out FILE`. */
export function optionHead(name: string, { type, short, value, multiple }: OptionSpec): string {
  const head = short === undefined ? `--${name}` : `-${short}, --${name}`;
  return type === 'boolean' ? head : `${head} ${value ?? 'VALUE'}${multiple === true ? ' …' : ''}`;
}

export function printCommand(command: CommandSpec, out: Output): void {
  const optionRows = (options: Readonly<Record<string, OptionSpec>>): string[] =>
    columns(Object.entries(options).map(([name, option]) => [`  ${optionHead(name, option)}`, option.summary]));
  out.line(`warden ${command.name}: ${command.summary}`);
  out.line('');
  out.line({ text: 'usage', style: 'bold' });
  out.line(`  ${usageOf(command)}`);
  if (Object.keys(command.options).length > 0) {
    out.line({ text: 'options', style: 'bold' });
    for (const row of optionRows(command.options)) out.line(row);
  }
  out.line({ text: 'always', style: 'bold' });
  for (const row of optionRows(GLOBAL_OPTIONS)) out.line(row);
  for (const note of command.notes) {
    out.line('');
    out.line(note);
  }
  if (command.examples.length > 0) {
    out.line('');
    out.line({ text: 'examples', style: 'bold' });
    for (const { run, says } of command.examples) {
      out.line(`  $ ${run}`);
      out.line(`      ${says}`);
    }
  }
}
