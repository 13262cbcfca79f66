import type { YamlFault, YamlNode } from './node.ts';

const MAX_DEPTH = 32;
/** Values that a file may come to once its aliases are written out: far above 10,000 actors, far below a bomb. */
const MAX_VALUES = 2_000_000;

/** What is wrong with a tree whatever it means: keys written twice, too deep, too large. */
export function checkTree(root: YamlNode): YamlFault[] {
  const faults: YamlFault[] = [];
  let left = MAX_VALUES;
  const walk = (node: YamlNode, depth: number): void => {
    left -= 1;
    if (left < 0)
      throw new TooMuch({
        offset: node.start,
        message: 'the file holds too many values',
        hint: 'write fewer aliases, or fewer entries',
      });
    if (node.kind === 'scalar') return;
    if (depth >= MAX_DEPTH) {
      throw new TooMuch({
        offset: node.start,
        message: `nested deeper than ${MAX_DEPTH} levels`,
        hint: 'no key of this file needs that depth',
      });
    }
    if (node.kind === 'seq') {
      for (const item of node.items) walk(item, depth + 1);
      return;
    }
    const seen = new Set<string>();
    for (const entry of node.entries) {
      if (seen.has(entry.key)) {
        faults.push({
          offset: entry.start,
          message: `the key \`${shown(entry.key)}\` stands twice in this map`,
          hint: 'keep one of the two',
        });
      }
      seen.add(entry.key);
      walk(entry.value, depth + 1);
    }
  };
  try {
    walk(root, 0);
  } catch (thrown) {
    if (!(thrown instanceof TooMuch)) throw thrown;
    faults.push(thrown.fault);
  }
  return faults;
}

class TooMuch extends Error {
  readonly fault: YamlFault;
  constructor(fault: YamlFault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** A text from a file as a message may show it: one short line of printable characters. */
export function shown(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?');
  return clean.length > 60 ? `${clean.slice(0, 57)}...` : clean;
}
