import type { YamlEntry, YamlNode } from './node.ts';
import { NotPlain } from './not-plain.ts';
import { isText, readFlow, readPlain, readQuoted, type Token } from './quick-inline.ts';

/**
 * Reads the plain part of YAML that config files are mostly written in (block maps and lists, one-line flow
 * collections, one-line texts, comments) some thirty times as fast as the library: 10,000 actors in a fraction of
 * a second. Null for everything else, errors included: the library then reads the text anew and says what is
 * wrong. Where this answers, it answers as the library does; a test holds the two against each other.
 */
export function quickYaml(text: string): YamlNode | null {
  // Tabs, carriage returns and what might count as a break or be invisible; markers of documents and directives.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]|^(?:---|\.\.\.|%)/m.test(text)) return null;
  try {
    return new BlockReader(text).document();
  } catch (thrown) {
    if (thrown instanceof NotPlain) return null;
    throw thrown;
  }
}

const KEY = /[A-Za-z_][A-Za-z0-9_-]*:(?= |\n|$)/y;

class BlockReader {
  readonly #text: string;
  /** Offset of the current line's first character that is no space. */
  #at = 0;
  /** Its column, from 0; -1 at the end of the text. */
  #indent = 0;

  constructor(text: string) {
    this.#text = text;
    this.#seekLine(0);
  }

  document(): YamlNode | null {
    if (this.#indent !== 0) return null;
    const root = this.#block(0, 0);
    if (this.#at < this.#text.length) throw new NotPlain();
    return root;
  }

  // A map or list whose entries stand in the given column.
  #block(column: number, depth: number): YamlNode {
    if (depth > 16) throw new NotPlain();
    return this.#isDash() ? this.#list(column, depth) : this.#map(column, depth);
  }

  #map(column: number, depth: number): YamlNode {
    const start = this.#at;
    const entries: YamlEntry[] = [];
    do {
      if (this.#isDash()) break;
      entries.push(this.#entry(column, depth));
    } while (this.#indent === column);
    if (entries.length === 0 || this.#indent > column) throw new NotPlain();
    return { kind: 'map', start, entries };
  }

  #entry(column: number, depth: number): YamlEntry {
    KEY.lastIndex = this.#at;
    if (!KEY.test(this.#text)) throw new NotPlain();
    const key = this.#text.slice(this.#at, KEY.lastIndex - 1);
    if (!isText(key)) throw new NotPlain();
    const start = this.#at;
    const inline = this.#inline(start + key.length + 1);
    if (inline !== null) return { key, start, value: inline };
    // A list may stand in its key's own column; everything else further in.
    if (this.#indent > column || (this.#indent === column && this.#isDash()))
      return { key, start, value: this.#block(this.#indent, depth + 1) };
    return { key, start, value: { kind: 'scalar', start, value: null } };
  }

  #list(column: number, depth: number): YamlNode {
    const start = this.#at;
    const items: YamlNode[] = [];
    while (this.#indent === column && this.#isDash()) {
      const after = this.#skipSpaces(this.#at + 1);
      KEY.lastIndex = after;
      if (KEY.test(this.#text)) {
        // A map that begins on the dash's own line: its column is where its first key stands.
        this.#indent = column + (after - this.#at);
        this.#at = after;
        items.push(this.#map(this.#indent, depth + 1));
      } else {
        const item = this.#inline(after);
        if (item === null) throw new NotPlain();
        items.push(item);
      }
    }
    if (this.#indent > column) throw new NotPlain();
    return { kind: 'seq', start, items };
  }

  // The value on the rest of this line, and the step to the next line; null where the line holds none.
  #inline(from: number): YamlNode | null {
    const at = this.#skipSpaces(from);
    const first = this.#text[at];
    if (first === undefined || first === '\n' || (first === '#' && at > from)) {
      this.#seekLine(this.#lineEnd(at));
      return null;
    }
    const token = this.#token(first, at);
    const rest = this.#skipSpaces(token.end);
    const next = this.#text[rest];
    if (next !== undefined && next !== '\n' && !(next === '#' && rest > token.end)) throw new NotPlain();
    this.#seekLine(this.#lineEnd(rest));
    return token.node;
  }

  #token(first: string, at: number): Token {
    if (first === '[' || first === '{') return readFlow(this.#text, at, 0);
    if (first === '"' || first === "'") return readQuoted(this.#text, at);
    const line = this.#text.slice(at, this.#lineEnd(at));
    const comment = line.indexOf(' #');
    const plain = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
    return { node: readPlain(plain, at), end: at + plain.length };
  }

  #isDash(): boolean {
    return this.#text[this.#at] === '-' && this.#text[this.#at + 1] === ' ';
  }

  #skipSpaces(at: number): number {
    let here = at;
    while (this.#text[here] === ' ') here += 1;
    return here;
  }

  #lineEnd(at: number): number {
    const end = this.#text.indexOf('\n', at);
    return end === -1 ? this.#text.length : end;
  }

  // To the first line from an offset on that is neither blank nor a comment. The offset is a line's begin or end.
  #seekLine(from: number): void {
    let line = from === 0 ? 0 : from + 1;
    while (line < this.#text.length) {
      const at = this.#skipSpaces(line);
      const first = this.#text[at];
      if (first !== undefined && first !== '\n' && first !== '#') {
        this.#at = at;
        this.#indent = at - line;
        return;
      }
      line = this.#lineEnd(at) + 1;
    }
    this.#at = this.#text.length;
    this.#indent = -1;
  }
}
