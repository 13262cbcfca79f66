import type { Pattern } from './forms.ts';
import { GAP, type Gap, gapAfter, isLineBreak } from './gap.ts';
import type { SymbolNode } from './symbols.ts';

/** Of a value's first symbols so many may show where the rest of it is masked: see `settle` and `Moves.anew`. */
export const SHOWABLE = 3;
/** A shorter pattern is found in one piece only: 1234 is not what the first four lines of `seq` show. */
const SHORTEST_WITH_GAPS = 8;
/** The longest spelling of a symbol. */
const LONGEST_SPELLING = 14;
/** What gaps may add. */
const GAPS_MAX = 64;

/** A pattern, and where among all patterns' symbols its first is. */
export interface Start {
  readonly pattern: Pattern;
  readonly base: number;
}

/** How far a candidate for a value has come. */
export interface Place extends Start {
  /** How many symbols are complete. */
  readonly at: number;
  /** Where in the next symbol it is. */
  readonly node: SymbolNode;
  readonly gap: Gap;
}

/** What a byte makes of a candidate: it may go on in several ways at once. */
export interface Moves {
  readonly to: readonly Spot[];
  /**
   * A line ended behind the first few characters of what may be a value; null: it did not. They must not wait for the
   * next line: their bytes count no longer, and would show before the mark.
   */
  readonly anew: Spot | null;
  /** With this byte the value is complete. */
  readonly completes: boolean;
}

const NO_MOVES: Moves = { to: [], anew: null, completes: false };

/** Finds the one spot of a place. */
export type SpotAt = (place: Place) => Spot;

/** A place that a candidate may be at, with what comes after it remembered. */
export class Spot implements Place {
  readonly pattern: Pattern;
  readonly base: number;
  readonly at: number;
  readonly node: SymbolNode;
  readonly gap: Gap;
  /** A candidate of more bytes is none: its gaps are no terminal's. */
  readonly maxLength: number;
  /** The value is complete, and its padding has not begun: nothing has to wait for it. */
  readonly isDone: boolean;
  readonly #moves = new Map<number, Moves>();
  /** For `Automaton`: a number of its own; the step that came by last, and where in its list this is. */
  readonly id: number;
  step = 0;
  index = 0;

  constructor({ pattern, base, at, node, gap }: Place, id: number) {
    this.pattern = pattern;
    this.base = base;
    this.at = at;
    this.node = node;
    this.gap = gap;
    this.id = id;
    this.maxLength = GAPS_MAX + LONGEST_SPELLING * (at + 1);
    this.isDone = at >= pattern.required && node === pattern.symbolAt(at);
  }

  on(byte: number, spotAt: SpotAt): Moves {
    const known = this.#moves.get(byte);
    if (known !== undefined) return known;
    const moves = movesOf(this, byte, spotAt);
    if (moves !== NO_MOVES) this.#moves.set(byte, moves);
    return moves;
  }
}

/** All values that one byte begins: most bytes begin some, and they go on together. */
export class Beginning {
  readonly byte: number;
  readonly #spots: readonly Spot[];
  readonly #moves: { readonly to: readonly Spot[]; readonly anew: readonly Spot[] }[] = [];

  /** `starts`: the patterns that this byte may begin. */
  constructor(byte: number, starts: readonly Start[], spotAt: SpotAt) {
    this.byte = byte;
    this.#spots = starts.flatMap(({ pattern, base }) => firstMoves(pattern, base, byte, spotAt).to);
  }

  on(byte: number, spotAt: SpotAt): { readonly to: readonly Spot[]; readonly anew: readonly Spot[] } {
    const known = this.#moves[byte];
    if (known !== undefined) return known;
    const moves = this.#spots.map((spot) => spot.on(byte, spotAt));
    const found = { to: moves.flatMap(({ to }) => to), anew: moves.flatMap(({ anew }) => anew ?? []) };
    this.#moves[byte] = found;
    return found;
  }
}

/** A name for each place of an automaton. */
export function placeName({ base, at, node, gap }: Place): number {
  return ((base + at) * 8 + gap) * 256 + node.id;
}

/** Where a pattern begins; no gap stands before its first byte. */
function firstMoves(pattern: Pattern, base: number, byte: number, spotAt: SpotAt): Moves {
  const node = pattern.symbolAt(0);
  if (node === undefined) return NO_MOVES;
  return reading({ pattern, base, at: 0, node, gap: GAP.none }, node.next.get(byte), [], null, spotAt);
}

function movesOf(spot: Spot, byte: number, spotAt: SpotAt): Moves {
  const { pattern, base, at, node, gap } = spot;
  const child = node.next.get(byte);
  // Most candidates end with their next byte.
  if (child === undefined && gap === GAP.none && byte > 0x20) return NO_MOVES;
  const to: Spot[] = [];
  let anew: Spot | null = null;
  if (pattern.required >= SHORTEST_WITH_GAPS && at < pattern.required) {
    // Where this byte completes the value there is nothing to wait for.
    const goesOn = child !== undefined && (child.ends === 0 || at + child.ends < pattern.required);
    const after = gapAfter(gap, byte, goesOn);
    if (after !== GAP.none) {
      const beyond = spotAt({ pattern, base, at, node, gap: after === GAP.ended ? GAP.none : after });
      if (after === GAP.ended && isLineBreak(byte) && at <= SHOWABLE) anew = beyond;
      else to.push(beyond);
    }
  }
  return reading(spot, gap === GAP.none ? child : undefined, to, anew, spotAt);
}

function reading(
  { pattern, base, at, gap }: Place,
  child: SymbolNode | undefined,
  to: Spot[],
  anew: Spot | null,
  spotAt: SpotAt,
): Moves {
  if (child === undefined) return to.length === 0 && anew === null ? NO_MOVES : { to, anew, completes: false };
  if (child.next.size > 0) to.push(spotAt({ pattern, base, at, node: child, gap }));
  const complete = at + child.ends;
  const node = pattern.symbolAt(complete);
  if (child.ends > 0 && node !== undefined) to.push(spotAt({ pattern, base, at: complete, node, gap }));
  return { to, anew, completes: child.ends > 0 && complete >= pattern.required };
}
