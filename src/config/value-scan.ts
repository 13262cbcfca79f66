import { shapeLike, valueKey, valueLike } from '../posture/value-like.ts';
import { Problems } from './problems.ts';
import type { YamlNode } from './yaml/node.ts';

export interface ScanRules {
  /** What the file is called in a message: `the catalogue`. */
  readonly file: string;
  /** What to write instead. */
  readonly mend: string;
  /** Keys that hold a digest of 64 hexadecimal digits by right. */
  readonly digests: ReadonlySet<string>;
}

const DIGEST = /^[0-9A-Fa-f]{64}$/;
/** Of a file: `/nix/store/0c5…/bin/npm` is a name, however random. Paths in OpenBao do not begin with a slash. */
const FILE = /\bpath\s*:\s*["']?\/[\w./@+-]+/g;

/**
 * Places in a text that hold something like a secret value, line by line, whatever YAML makes of it: comments, and
 * files that are no YAML at all. What is found is never quoted: the place says enough.
 */
export function scanText(name: string, text: string, rules: ScanRules): Problems {
  const problems = new Problems(name, text);
  const digest = new RegExp(`\\b(?:${[...rules.digests].join('|')})\\s*:\\s*["']?[0-9A-Fa-f]{64}\\b["']?`, 'g');
  let offset = 0;
  for (const line of text.split('\n')) {
    const kind = shapeLike(line) ?? valueLike(line.replace(digest, '').replace(FILE, ''));
    if (kind !== null) report(problems, offset + line.search(/\S|$/), kind, rules);
    offset += line.length + 1;
  }
  return problems;
}

/** What is a value by its key, and what shows only once escapes and folded lines are read. */
export function scanTree(name: string, text: string, root: YamlNode, rules: ScanRules): Problems {
  const problems = new Problems(name, text);
  const walk = (node: YamlNode, key: string): void => {
    if (node.kind === 'seq') for (const item of node.items) walk(item, key);
    else if (node.kind === 'map') {
      for (const entry of node.entries) {
        if (valueLike(entry.key) !== null) report(problems, entry.start, 'a value in the place of a key', rules);
        else if (valueKey(entry.key) && holdsScalar(entry.value)) {
          report(problems, entry.start, 'a value by the name of its key', rules);
        } else walk(entry.value, entry.key);
      }
    } else if (typeof node.value === 'string' && !(rules.digests.has(key) && DIGEST.test(node.value))) {
      const kind = key === 'path' && node.value.startsWith('/') ? shapeLike(node.value) : valueLike(node.value);
      if (kind !== null) report(problems, node.start, kind, rules);
    }
  };
  walk(root, '');
  return problems;
}

function report(problems: Problems, offset: number, kind: string, { file, mend }: ScanRules): void {
  problems.atOffset(offset, `this looks like ${kind}: ${file} holds names, never values`, mend);
}

function holdsScalar(node: YamlNode): boolean {
  if (node.kind === 'scalar') return node.value !== null;
  return node.kind === 'seq' && node.items.some(holdsScalar);
}
