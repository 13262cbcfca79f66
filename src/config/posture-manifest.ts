import type { ManifestPath } from '../posture/check.ts';
import type { Manifest } from '../posture/manifest.ts';
import { valueKey, valueLike } from '../posture/value-like.ts';
import { parseYaml } from './parse-yaml.ts';
import { Problems } from './problems.ts';
import { postureManifestSchema } from './schema/posture-manifest.ts';
import type { ConfigProblem } from './snapshot.ts';
import { LineIndex } from './yaml/line-index.ts';
import { offsetOf, type YamlNode } from './yaml/node.ts';

/** Above any manifest written by people, and quick to refuse. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

/** Line and column from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A manifest with the places of its parts, or what makes it unusable. No problem ever quotes a value. */
export type ReadManifest =
  | { readonly manifest: Manifest; readonly placeOf: (path: ManifestPath) => Place }
  | { readonly manifest: null; readonly problems: readonly ConfigProblem[] };

/**
 * Reads a posture manifest (YAML, or JSON as a part of it). Anything that looks like a secret value, in a comment too,
 * makes it unusable: then nothing but the places of those is said, since another message might quote what is there.
 */
export function readPostureManifest(file: string, bytes: Uint8Array): ReadManifest {
  const text = new TextDecoder('utf-8').decode(bytes);
  const inText = scanText(file, text);
  if (inText.count > 0) return { manifest: null, problems: inText.list() };
  const { root, data, problems } = parseYaml(file, bytes, postureManifestSchema);
  if (root !== null) {
    const inTree = scanTree(file, text, root);
    if (inTree.count > 0) return { manifest: null, problems: inTree.list() };
  }
  if (root === null || data === null) return { manifest: null, problems: problems.list().map(withoutQuotes) };
  const lines = new LineIndex(text);
  return { manifest: data, placeOf: (path) => lines.at(offsetOf(root, path)) };
}

const MEND = 'take the value out, rotate it where it is real, and write a short name for it: m-17';

function refuse(problems: Problems, offset: number, kind: string): void {
  problems.atOffset(offset, `this looks like ${kind}: a manifest holds names, never values`, MEND);
}

/** Line by line, whatever YAML makes of it: comments, and files that are no YAML at all. */
function scanText(file: string, text: string): Problems {
  const problems = new Problems(file, text);
  let offset = 0;
  for (const line of text.split('\n')) {
    const kind = valueLike(line);
    if (kind !== null) refuse(problems, offset + line.search(/\S|$/), kind);
    offset += line.length + 1;
  }
  return problems;
}

/** What is a value by its key, and what shows only once escapes and folded lines are read. */
function scanTree(file: string, text: string, root: YamlNode): Problems {
  const problems = new Problems(file, text);
  const walk = (node: YamlNode, path: readonly string[], start: number): void => {
    if (node.kind === 'scalar') {
      const kind = typeof node.value === 'string' ? valueLike(node.value) : null;
      if (kind !== null) refuse(problems, start, kind);
    } else if (node.kind === 'seq') for (const item of node.items) walk(item, path, item.start);
    else
      for (const { key, start: keyStart, value } of node.entries) {
        const here = [...path, key];
        if (valueLike(key) !== null) refuse(problems, keyStart, 'a value in the place of a key');
        else if (valueKey(key) && !NAMES.has(here.join('.')) && holdsScalar(value)) {
          refuse(problems, keyStart, 'a value by the name of its key');
        } else walk(value, here, value.start);
      }
  };
  walk(root, [], root.start);
  return problems;
}

/** Keys of the manifest itself that sound like values and hold names. */
const NAMES: ReadonlySet<string> = new Set(['environments.real_values', 'flows.secret']);

function holdsScalar(node: YamlNode): boolean {
  if (node.kind === 'scalar') return node.value !== null;
  return node.kind === 'seq' && node.items.some(holdsScalar);
}

/** The YAML library quotes what it stumbles over; where it does, the place says enough. */
function withoutQuotes(problem: ConfigProblem): ConfigProblem {
  if (!/^(not valid YAML|unresolved tag)/.test(problem.message)) return problem;
  const message = problem.message.replace(/^(not valid YAML: [^":!]*).*$/, '$1').replace(/^(unresolved tag).*$/, '$1');
  return { ...problem, message: message.replace(/[\s(]+$/, '') };
}
