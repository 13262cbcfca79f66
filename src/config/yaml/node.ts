/** A YAML document as data with places: what both readers give, and all that the rest of the config code sees. */
export type YamlNode = YamlScalar | YamlMap | YamlSeq;

export interface YamlScalar {
  readonly kind: 'scalar';
  /** Offset into the text, in UTF-16 units. */
  readonly start: number;
  readonly value: string | number | boolean | null;
}

export interface YamlMap {
  readonly kind: 'map';
  readonly start: number;
  readonly entries: readonly YamlEntry[];
}

export interface YamlEntry {
  readonly key: string;
  /** Offset of the key. */
  readonly start: number;
  readonly value: YamlNode;
}

export interface YamlSeq {
  readonly kind: 'seq';
  readonly start: number;
  readonly items: readonly YamlNode[];
}

/** A place in the text and what is wrong there. */
export interface YamlFault {
  readonly offset: number;
  readonly message: string;
  readonly hint: string;
}

/** The JSON value of a tree. Maps have no prototype, so that a key such as `__proto__` is a key like any other. */
export function toValue(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'seq') return node.items.map(toValue);
  const map: Record<string, unknown> = Object.create(null);
  for (const entry of node.entries) map[entry.key] = toValue(entry.value);
  return map;
}

/**
 * The offset that a path of keys and indices names. Where the path's end is missing from the file, the place of
 * what should hold it; with `atKey`, a key's own place and not its value's.
 */
export function offsetOf(root: YamlNode, path: readonly PropertyKey[], atKey = false): number {
  let node = root;
  let offset = root.start;
  for (const step of path) {
    if (node.kind === 'map') {
      const entry = node.entries.find((candidate) => candidate.key === step);
      if (entry === undefined) return offset;
      node = entry.value;
      offset = atKey ? entry.start : node.start;
    } else if (node.kind === 'seq') {
      const item = node.items[Number(step)];
      if (item === undefined) return offset;
      node = item;
      offset = node.start;
    } else return offset;
  }
  return offset;
}

/** The node at a path; undefined where the file has none. */
export function nodeAt(root: YamlNode, path: readonly PropertyKey[]): YamlNode | undefined {
  let node: YamlNode | undefined = root;
  for (const step of path) {
    if (node?.kind === 'map') node = node.entries.find((entry) => entry.key === step)?.value;
    else if (node?.kind === 'seq') node = node.items[Number(step)];
    else return undefined;
  }
  return node;
}
