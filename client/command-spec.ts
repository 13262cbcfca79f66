/** What a shell may offer in a place. */
export type Completion = 'file' | 'folder' | 'actor' | 'command' | readonly string[];

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** One letter, as in -o. */
  readonly short?: string;
  /** What stands for the value in help: FILE, TTL. */
  readonly value?: string;
  readonly multiple?: boolean;
  readonly summary: string;
  readonly complete?: Completion;
}

export interface PositionalSpec {
  readonly name: string;
  readonly required: boolean;
  /** Takes all words that are left; only after `--`, so that their options stay theirs. The last one. */
  readonly rest?: boolean;
  readonly complete?: Completion;
}

/** One command: the parser, the help, the completion scripts and docs/cli.md all read this and nothing else. */
export interface CommandSpec {
  /** One or two words: `sign`, `ledger verify`. */
  readonly name: string;
  /** One sentence, no full stop. */
  readonly summary: string;
  readonly positionals: readonly PositionalSpec[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** The exit code of every failure before the command's own work begins, where it is not the usual one. */
  readonly failsWith?: number;
  /** Paragraphs of one line. */
  readonly notes: readonly string[];
  readonly examples: readonly { readonly run: string; readonly says: string }[];
}

/** Options that every command takes, before or after its name. */
export const GLOBAL_OPTIONS = {
  socket: { type: 'string', value: 'PATH', summary: 'the socket of the daemon', complete: 'file' },
  config: { type: 'string', value: 'DIR', summary: 'the config folder', complete: 'folder' },
  json: { type: 'boolean', summary: 'one JSON object on stdout, errors too' },
  quiet: { type: 'boolean', summary: 'print only what was asked for' },
  help: { type: 'boolean', short: 'h', summary: 'what the command does and takes' },
} as const satisfies Record<string, OptionSpec>;
