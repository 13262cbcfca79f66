import { type Document, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';
import { shown } from './check-tree.ts';
import type { YamlEntry, YamlFault, YamlNode } from './node.ts';

/** Beyond this the tree is refused while it is built, before anything recurses into it. */
const MAX_BUILD_DEPTH = 64;

const SYNTAX_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: 'indent with spaces',
  MULTIPLE_DOCS: 'keep one document: remove the `---` lines and what follows them',
  BLOCK_AS_IMPLICIT_KEY: 'put each key on its own line, or the value in quotes',
  MULTILINE_IMPLICIT_KEY: 'put the key and its colon on one line',
  MISSING_CHAR: 'close what was opened before this place',
  BAD_INDENT: 'indent the entries of one list or map alike',
  RESOURCE_EXHAUSTION: 'no key of this file needs that depth',
  BAD_SCALAR_START: 'put the value in quotes',
};

/** Reads any YAML 1.2 text through the `yaml` library. Root null: the file is empty or holds only comments. */
export function readYaml(text: string): { readonly root: YamlNode | null; readonly faults: readonly YamlFault[] } {
  let document: Document.Parsed;
  try {
    // The library's own duplicate check is quadratic and its toJS() gives no places: both are done here.
    document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
    });
  } catch (thrown) {
    if (thrown instanceof RangeError) return { root: null, faults: [tooDeep(0)] };
    return {
      root: null,
      faults: [{ offset: 0, message: 'not readable as YAML', hint: 'write plain maps, lists and texts' }],
    };
  }
  const faults: YamlFault[] = document.errors.map((error) => ({
    offset: error.pos[0],
    message: error.code === 'RESOURCE_EXHAUSTION' ? 'nested too deep' : `not valid YAML: ${sentence(error.message)}`,
    hint: SYNTAX_HINTS[error.code] ?? 'see the place named and the line before it',
  }));
  for (const warning of document.warnings) {
    faults.push({ offset: warning.pos[0], message: sentence(warning.message), hint: 'write the value without a tag' });
  }
  if (document.directives.yaml.explicit === true && document.directives.yaml.version !== '1.2') {
    faults.push({ offset: 0, message: 'only YAML 1.2 is read', hint: 'remove the %YAML line' });
  }
  if (document.contents === null) return { root: null, faults };
  if (faults.length > 0) return { root: null, faults };
  const builder = new TreeBuilder();
  try {
    const root = builder.build(document.contents, 0, 0);
    return { root: builder.faults.length > 0 ? null : root, faults: builder.faults };
  } catch (thrown) {
    if (thrown instanceof RangeError) return { root: null, faults: [tooDeep(0)] };
    throw thrown;
  }
}

class TreeBuilder {
  readonly faults: YamlFault[] = [];
  readonly #anchors = new Map<string, YamlNode>();

  build(source: unknown, depth: number, place: number): YamlNode {
    if (isAlias(source)) {
      const start = source.range?.[0] ?? place;
      const target = this.#anchors.get(source.source);
      if (target !== undefined) return target;
      this.faults.push({
        offset: start,
        message: `the alias \`*${shown(source.source)}\` names no anchor before it`,
        hint: 'write the value itself',
      });
      return { kind: 'scalar', start, value: null };
    }
    if (isScalar(source)) {
      // Nothing written after a key: its place is the key's.
      const start = source.value === null && source.source === '' ? place : (source.range?.[0] ?? place);
      const value = source.value;
      const plain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
      return this.#remember(source.anchor, { kind: 'scalar', start, value: plain });
    }
    if (isMap(source) || isSeq(source)) {
      const start = source.range?.[0] ?? place;
      if (depth > MAX_BUILD_DEPTH) {
        this.faults.push(tooDeep(start));
        return { kind: 'scalar', start, value: null };
      }
      if (isSeq(source)) {
        return this.#remember(source.anchor, {
          kind: 'seq',
          start,
          items: source.items.map((item) => this.build(item, depth + 1, start)),
        });
      }
      const entries = source.items.map((pair) => this.#entry(pair.key, pair.value, depth, start));
      return this.#remember(source.anchor, { kind: 'map', start, entries });
    }
    return { kind: 'scalar', start: place, value: null };
  }

  #entry(key: unknown, value: unknown, depth: number, place: number): YamlEntry {
    const start = isScalar(key) || isMap(key) || isSeq(key) || isAlias(key) ? (key.range?.[0] ?? place) : place;
    if (isScalar(key) && key.anchor === undefined && key.value !== null) {
      return { key: String(key.value), start, value: this.build(value, depth + 1, start) };
    }
    this.faults.push({ offset: start, message: 'a key must be a plain text', hint: 'write `key: value`' });
    return { key: '', start, value: { kind: 'scalar', start, value: null } };
  }

  // After its content, so that an alias inside its own anchor finds nothing: no cycles.
  #remember(anchor: string | undefined, node: YamlNode): YamlNode {
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    return node;
  }
}

function tooDeep(offset: number): YamlFault {
  return { offset, message: 'nested too deep', hint: 'no key of this file needs that depth' };
}

/** A library's message as one of ours: first line, lower case, no full stop, nothing unprintable. */
function sentence(message: string): string {
  const line = shownLine(message.split('\n')[0] ?? '');
  return line.charAt(0).toLowerCase() + line.slice(1).replace(/[.:;]+$/, '');
}

function shownLine(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?');
  return clean.length > 160 ? `${clean.slice(0, 157)}...` : clean;
}
