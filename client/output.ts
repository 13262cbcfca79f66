/** Everything `warden` prints goes through here: colour only on a terminal, and no control character of anyone else's. */

const STYLES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33' } as const;
export type Style = keyof typeof STYLES;

// Control, invisible and direction-changing characters: they rewrite what a person reads on a terminal.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const UNPRINTABLE_JSON = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text from elsewhere, safe to print on one line. */
export function clean(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' || character === '\t' ? ' ' : '?'));
}

/** JSON on one line that is safe on a terminal too; bigints become numbers where they fit, else strings. */
export function toJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'bigint') return inner;
    return inner <= BigInt(Number.MAX_SAFE_INTEGER) && inner >= 0n ? Number(inner) : String(inner);
  });
  return escapeJson(text);
}

/** The characters of a JSON text that could steer a terminal, escaped. */
export function escapeJson(text: string): string {
  return text.replace(UNPRINTABLE_JSON, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

interface Stream {
  readonly isTTY?: boolean;
  /** Its reader is gone. */
  readonly left?: boolean;
  write(text: string | Uint8Array): unknown;
}

export interface OutputOptions {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A piece of a line: text, or text in a style. */
export type Piece = string | { readonly text: string; readonly style: Style };

export class Output {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly #stdout: Stream;
  readonly #stderr: Stream;
  readonly #env: Readonly<Record<string, string | undefined>>;

  constructor(options: OutputOptions) {
    this.json = options.json;
    this.quiet = options.quiet;
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.#env = options.env;
  }

  get terminal(): boolean {
    return this.#stdout.isTTY === true;
  }

  /** Nobody reads stdout any more: what goes on without an end ends here. */
  get abandoned(): boolean {
    return this.#stdout.left === true;
  }

  /** One line that was asked for, on stdout. */
  line(...pieces: readonly Piece[]): void {
    this.#stdout.write(`${this.#render(pieces, this.#stdout)}\n`);
  }

  /** One line that is nice to know: not with --quiet, and never between a script and its JSON. */
  note(...pieces: readonly Piece[]): void {
    if (!this.quiet && !this.json) this.line(...pieces);
  }

  /** One line on stderr. */
  error(...pieces: readonly Piece[]): void {
    this.#stderr.write(`${this.#render(pieces, this.#stderr)}\n`);
  }

  /** One line on stderr that is nice to know. */
  aside(...pieces: readonly Piece[]): void {
    if (!this.quiet) this.error(...pieces);
  }

  object(value: unknown): void {
    this.#stdout.write(`${toJson(value)}\n`);
  }

  /** Bytes that were asked for as they are: a file's content for a pipe. Never text of someone else's choosing. */
  raw(text: string | Uint8Array): void {
    this.#stdout.write(text);
  }

  /** Whether stdout is a terminal whose cursor can be moved: where lines may be drawn over. */
  get drawable(): boolean {
    return this.terminal && !this.json && this.#env.TERM !== 'dumb' && (this.#env.TERM ?? '') !== '';
  }

  /** One line as `line` prints it, without its end. */
  render(pieces: readonly Piece[]): string {
    return this.#render(pieces, this.#stdout);
  }

  #render(pieces: readonly Piece[], stream: Stream): string {
    const colour = stream.isTTY === true && !this.#env.NO_COLOR && this.#env.TERM !== 'dumb';
    return pieces
      .map((piece) => {
        if (typeof piece === 'string') return clean(piece);
        const text = clean(piece.text);
        return colour ? `\u001b[${STYLES[piece.style]}m${text}\u001b[0m` : text;
      })
      .join('');
  }
}

/** `1 host`, `2 hosts`. */
export function counted(count: number | bigint, one: string, many = `${one}s`): string {
  return `${count} ${Number(count) === 1 ? one : many}`;
}

/** Rows in columns, two spaces apart; the last column is not padded. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, clean(cell).length);
    });
  return rows.map((row) =>
    row
      .map((cell, i) => (i === row.length - 1 ? clean(cell) : clean(cell).padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
