import { GAP, type Gap, gapAfter, isLineBreak } from './gap.ts';
import type { Pattern } from './patterns.ts';
import type { SymbolNode } from './symbols.ts';

/** Bytes of the stream that may be the start of a value. */
export interface Candidate {
  readonly pattern: Pattern;
  /** Among all patterns' symbols: where this one's first is. */
  readonly base: number;
  /** How many symbols are complete. */
  readonly at: number;
  /** Where in the next symbol we are. */
  readonly node: SymbolNode;
  readonly gap: Gap;
  /** Bytes since its start. */
  readonly length: number;
}

/** Candidates at the same place have the same future. */
export function placeOf({ base, at, node, gap }: Candidate): number {
  return ((base + at) * 8 + gap) * 256 + node.id;
}

/** Of a value's first symbols so many may show where the rest of it is masked: see `settle` and `gapLength`. */
export const SHOWABLE = 3;
/** A shorter pattern is found in one piece only: 1234 is not what the first four lines of `seq` show. */
const SHORTEST_WITH_GAPS = 8;
/** What gaps may add: a candidate that is longer is none. The longest spelling of a symbol has 14 bytes. */
const longest = (symbols: number): number => 64 + 14 * (symbols + 1);

/**
 * What one more byte makes of a candidate: `found` gets what it may still be, and the answer is whether it is complete
 * with this byte.
 */
export function follow(candidate: Candidate, byte: number, found: (next: Candidate) => void): boolean {
  const { pattern, at, node, gap } = candidate;
  const length = candidate.length + 1;
  if (length > longest(at)) return false;
  const child = node.next.get(byte);
  const hasGaps = pattern.required >= SHORTEST_WITH_GAPS && at < pattern.required;
  // Where this byte completes the value there is nothing to wait for.
  const goesOn = child !== undefined && (child.ends === 0 || at + child.ends < pattern.required);
  const after = hasGaps ? gapAfter(gap, byte, goesOn) : GAP.none;
  if (after !== GAP.none) {
    const ended = after === GAP.ended;
    found(candidateAt(candidate, at, node, ended ? GAP.none : after, ended ? gapLength(candidate, byte) : length));
  }
  return gap === GAP.none && read(candidate, length, child, found);
}

/** Of a pattern, before its first byte. */
export function beforeStart(pattern: Pattern, base: number, node: SymbolNode): Candidate {
  return { pattern, base, at: 0, node, gap: GAP.none, length: 0 };
}

/** Field by field: this runs for each byte of hostile output. */
function candidateAt({ pattern, base }: Candidate, at: number, node: SymbolNode, gap: Gap, length: number): Candidate {
  return { pattern, base, at, node, gap, length };
}

/** `follow`, where there is no gap. */
export function read(
  candidate: Candidate,
  length: number,
  child: SymbolNode | undefined,
  found: (next: Candidate) => void,
): boolean {
  if (child === undefined) return false;
  if (child.next.size > 0) found(candidateAt(candidate, candidate.at, child, GAP.none, length));
  if (child.ends === 0) return false;
  const at = candidate.at + child.ends;
  const node = candidate.pattern.symbols[at];
  if (node !== undefined) found(candidateAt(candidate, at, node, GAP.none, length));
  return at >= candidate.pattern.required;
}

/**
 * A line that ends in what may be the first characters of a value must not wait for the next line: its bytes count no
 * longer, and would show before the mark.
 */
function gapLength({ at, length }: Candidate, byte: number): number {
  return isLineBreak(byte) && at <= SHOWABLE ? 0 : length + 1;
}
