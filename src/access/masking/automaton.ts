import { beforeStart, type Candidate, follow, placeOf, read } from './candidate.ts';
import type { Pattern } from './patterns.ts';

/** What is known after some bytes of a stream. */
export interface State {
  readonly candidates: readonly Candidate[];
  /** Bytes since the start of the earliest candidate: all before them are decided. */
  readonly held: number;
  /** The most symbols that a candidate has. */
  readonly depth: number;
  /** The longest value that ends with the last byte. */
  readonly match: Match | null;
  /** Row of the table, if it was made for this `epoch`. */
  row: number;
  epoch: number;
}

export interface Match {
  readonly route: string;
  readonly length: number;
}

/** At most 2 MiB of table. */
const ROWS = 4096;
/**
 * A table that is full is begun anew. Where it took less than so many bytes to fill it, the next of them are read
 * without one: hostile output could fill it over and over, and each row costs more than it gives.
 */
const WORTH_A_TABLE = 262_144;

/**
 * All patterns at once: a deterministic automaton over sets of candidates, made while it reads. Ordinary output meets a
 * few hundred states; for each byte then there is one look into a table. Of two candidates that are equally far in
 * the same symbol only the earlier one is kept: whatever completes it covers the other.
 */
export class Automaton {
  /** By first byte. A value has more than one, so none is complete with it. */
  readonly #begins: (readonly Candidate[])[] = [];
  readonly #states = new Map<string, State>();
  /** Of each state 256 cells: 0 not known yet, n the row of the next state, -n the same where a match ends. */
  #table = new Int16Array(16 * 256);
  #rows: State[] = [];
  #epoch = 0;
  /** Bytes read since the table was begun, and bytes yet to be read without one. */
  #filling = 0;
  #withoutTable = 0;
  readonly start: State;

  constructor(patterns: readonly Pattern[]) {
    let base = 0;
    const starts = patterns.flatMap((pattern) => {
      const [first] = pattern.symbols;
      const start = first === undefined ? [] : [beforeStart(pattern, base, first)];
      base += pattern.symbols.length;
      return start;
    });
    for (let byte = 0; byte < 256; byte++) {
      const candidates: Candidate[] = [];
      for (const start of starts) read(start, 1, start.node.next.get(byte), (next) => candidates.push(next));
      this.#begins.push(candidates);
    }
    this.start = this.#known([], null);
  }

  /**
   * Reads on until a match ends or the chunk does, and answers how many bytes of it are read.
   * `reader.state` is where it stands then; its `match` is not null where it stopped for one.
   */
  read(reader: { state: State }, chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (this.#withoutTable > 0) {
        this.#withoutTable--;
        reader.state = this.#step(reader.state, chunk[at++] as number);
        if (this.#withoutTable === 0) this.#forget();
      } else {
        at = this.#readTable(reader, chunk, at);
      }
      if (reader.state.match !== null) return at;
    }
    return at;
  }

  #readTable(reader: { state: State }, chunk: Uint8Array, from: number): number {
    if (reader.state.epoch !== this.#epoch) {
      reader.state = this.#known(reader.state.candidates, reader.state.match);
      if (this.#withoutTable > 0) return from;
    }
    const table = this.#table;
    const end = chunk.length;
    let row = reader.state.row;
    let at = from;
    let cell = row;
    while (at < end) {
      cell = table[(row << 8) | (chunk[at] as number)] as number;
      if (cell <= 0) break;
      row = cell;
      at++;
    }
    this.#filling += at + 1 - from;
    reader.state = this.#rows[row] as State;
    if (cell > 0) return at;
    const byte = chunk[at] as number;
    if (cell === 0) {
      const before = reader.state;
      const { row, epoch } = before;
      reader.state = this.#step(before, byte);
      if (epoch === this.#epoch && reader.state.epoch === epoch) {
        this.#table[(row << 8) | byte] = reader.state.match === null ? reader.state.row : -reader.state.row;
      }
    } else reader.state = this.#rows[-cell] as State;
    return at + 1;
  }

  #step(state: State, byte: number): State {
    const next = new Map<number, Candidate>();
    let match: Match | null = null;
    const add = (candidate: Candidate): void => {
      const place = placeOf(candidate);
      const known = next.get(place);
      if (known === undefined || known.length < candidate.length) next.set(place, candidate);
    };
    for (const candidate of state.candidates) {
      const length = candidate.length + 1;
      if (follow(candidate, byte, add) && length > (match?.length ?? 0)) {
        match = { route: candidate.pattern.route, length };
      }
    }
    for (const candidate of this.#begins[byte] ?? []) add(candidate);
    return this.#known([...next.values()], match);
  }

  /** The state of these candidates, with a row of the table while there is room. */
  #known(candidates: readonly Candidate[], match: Match | null): State {
    let [held, depth] = [0, 0];
    for (const { pattern, at, node, length } of candidates) {
      // What is complete holds nothing, until padding begins behind it.
      if (at >= pattern.required && node === pattern.symbols[at]) continue;
      held = Math.max(held, length);
      depth = Math.max(depth, at);
    }
    const state: State = { candidates, held, depth, match, row: 0, epoch: -1 };
    if (this.#withoutTable > 0) return state;
    const name = nameOf(state);
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    if (this.#rows.length >= ROWS) {
      if (this.#filling < WORTH_A_TABLE) {
        this.#withoutTable = WORTH_A_TABLE;
        return state;
      }
      this.#forget();
    }
    // Row 0 is nobody's: 0 in the table means that a state is not known yet.
    if (this.#rows.length === 0) this.#rows.push(state);
    state.row = this.#rows.length;
    state.epoch = this.#epoch;
    this.#rows.push(state);
    this.#states.set(name, state);
    if (this.#rows.length * 256 > this.#table.length) {
      const wider = new Int16Array(this.#table.length * 2);
      wider.set(this.#table);
      this.#table = wider;
    }
    return state;
  }

  #forget(): void {
    this.#epoch++;
    this.#filling = 0;
    this.#rows = [];
    this.#states.clear();
    this.#table.fill(0);
  }
}

function nameOf({ candidates, match }: State): string {
  const names = candidates.map((candidate) => `${placeOf(candidate)}.${candidate.length}`);
  return `${names.sort().join()};${match === null ? '' : `${match.route}.${match.length}`}`;
}
