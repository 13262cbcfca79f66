/** What a double's program reaches of the machine: nothing else. */
export interface DoubleProcess {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  out(text: string): void;
  err(text: string): void;
}

/** What is written into a double's program. */
export interface DoubleData {
  /** Of the run: what makes its values. */
  readonly seed: string;
  /** HMAC-SHA-256 in hex. */
  readonly hmac: (key: string, text: string) => string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Fields by path (`platform/data/ci/npm`); null: every path is there, with whatever field is asked for. */
  readonly secrets: Readonly<Record<string, readonly string[]>> | null;
}
