import type { ConfigProblem } from './snapshot.ts';
import { LineIndex } from './yaml/line-index.ts';
import { offsetOf, type YamlNode } from './yaml/node.ts';

/** Problems shown of one file; the rest are counted. */
const MAX_PROBLEMS = 100;

/** Collects what is wrong, and what is worth a warning, in one file. */
export class Problems {
  readonly file: string;
  readonly #lines: LineIndex;
  readonly #found: ConfigProblem[] = [];
  readonly #warnings: string[] = [];
  #root: YamlNode | null = null;
  #more = 0;
  #moreWarnings = 0;

  constructor(file: string, text: string) {
    this.file = file;
    this.#lines = new LineIndex(text);
  }

  /** From now on paths are looked up in this tree. */
  read(root: YamlNode): void {
    this.#root = root;
  }

  get count(): number {
    return this.#found.length + this.#more;
  }

  atOffset(offset: number, message: string, hint: string): void {
    if (this.#found.length >= MAX_PROBLEMS) {
      this.#more += 1;
      return;
    }
    this.#found.push({ file: this.file, ...this.#lines.at(offset), message, hint });
  }

  /** At a value's place; where the path's end is missing, at what should hold it. */
  at(path: readonly PropertyKey[], message: string, hint: string): void {
    this.atOffset(this.#offset(path, false), message, hint);
  }

  atKey(path: readonly PropertyKey[], message: string, hint: string): void {
    this.atOffset(this.#offset(path, true), message, hint);
  }

  warn(path: readonly PropertyKey[], message: string): void {
    if (this.#warnings.length >= MAX_PROBLEMS) {
      this.#moreWarnings += 1;
      return;
    }
    const { line, column } = this.#lines.at(this.#offset(path, false));
    this.#warnings.push(`${this.file}:${line}:${column}: ${message}`);
  }

  /** In the order of the file. */
  list(): readonly ConfigProblem[] {
    const sorted = [...this.#found].sort((a, b) => a.line - b.line || a.column - b.column);
    if (this.#more > 0)
      sorted.push(wholeFile(this.file, `${this.#more} more problems in this file`, 'mend those above first'));
    return sorted;
  }

  warnings(): readonly string[] {
    return this.#moreWarnings === 0
      ? this.#warnings
      : [...this.#warnings, `${this.file}: ${this.#moreWarnings} more warnings`];
  }

  #offset(path: readonly PropertyKey[], atKey: boolean): number {
    return this.#root === null ? 0 : offsetOf(this.#root, path, atKey);
  }
}

/** A problem of a whole file, or of the folder (`.`). */
export function wholeFile(file: string, message: string, hint: string): ConfigProblem {
  return { file, line: 0, column: 0, message, hint };
}

/** `inventory.yaml:12:5: what is wrong` and, on a line of its own, what to write. No newline at the end. */
export function formatProblem(problem: ConfigProblem): string {
  return `${placeOf(problem)}: ${problem.message}\n  write: ${problem.hint}`;
}

/** `inventory.yaml:12:5`, or the file alone where the problem is the whole file's. */
export function placeOf({ file, line, column }: ConfigProblem): string {
  return line === 0 ? file : `${file}:${line}:${column}`;
}
