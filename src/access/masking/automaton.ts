import type { Pattern } from './patterns.ts';
import { firstMoves, numberOf, type Place, Spot } from './spot.ts';

/** What is known after some bytes of a stream: the bytes that may be the start of a value, in any number of ways. */
export interface State {
  readonly spots: readonly Spot[];
  /** Of each of them: bytes since its start. */
  readonly lengths: readonly number[];
  /** Bytes since the start of the earliest: all before them are decided. */
  readonly held: number;
  /** The most symbols that one has. */
  readonly depth: number;
  /** The longest value that ends with the last byte. */
  readonly match: Match | null;
  /** Row of the table; 0 where it has none. */
  readonly row: number;
  /** Its spots and row are those of then. */
  readonly epoch: number;
}

export interface Match {
  readonly route: string;
  readonly length: number;
}

export interface Reader {
  state: State;
}

/** At most 2 MiB of table. */
const ROWS = 4096;
const SPOTS = 16_384;
/**
 * A table that is full is begun anew. Where it took less than so many bytes to fill it, the next of them are read
 * without one: hostile output could fill it over and over, and each row costs more than it gives.
 */
const WORTH_A_TABLE = 262_144;

/**
 * All patterns at once: a deterministic automaton over sets of spots, made while it reads. Ordinary output meets a few
 * hundred states; for each byte then there is one look into a table. Of two candidates at one spot only the earlier is
 * kept: whatever completes it covers the other.
 */
export class Automaton {
  readonly #patterns: readonly { readonly pattern: Pattern; readonly base: number }[];
  /** By first byte. */
  #begins: (Spot[] | undefined)[] = [];
  #spots = new Map<number, Spot>();
  #states = new Map<string, State>();
  /** Of each state 256 cells: 0 not known yet, n the row of the next state, -n the same where a match ends. */
  #table = new Int16Array(16 * 256);
  #rows: State[] = [];
  #epoch = 0;
  #step = 0;
  readonly #nextSpots: Spot[] = [];
  readonly #nextLengths: number[] = [];
  /** Bytes read since the table was begun, and bytes yet to be read without one. */
  #filling = 0;
  #withoutTable = 0;
  readonly start: State;

  constructor(patterns: readonly Pattern[]) {
    let base = 0;
    this.#patterns = patterns.map((pattern) => {
      const entry = { pattern, base };
      base += pattern.symbols.length;
      return entry;
    });
    this.start = this.#known([], [], null);
  }

  /**
   * Reads on until a match ends or the chunk does, and answers how many bytes of it are read.
   * `reader.state` is where it stands then; its `match` is not null where it stopped for one.
   */
  read(reader: Reader, chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (reader.state.epoch !== this.#epoch) reader.state = this.#renewed(reader.state);
      if (this.#withoutTable > 0) {
        this.#withoutTable--;
        reader.state = this.#after(reader.state, chunk[at++] as number);
        if (this.#withoutTable === 0 || this.#spots.size > SPOTS) this.#forget();
      } else if (reader.state.row === 0) {
        reader.state = this.#known(reader.state.spots, reader.state.lengths, reader.state.match);
        continue;
      } else at = this.#readTable(reader, chunk, at);
      if (reader.state.match !== null) return at;
    }
    return at;
  }

  #readTable(reader: Reader, chunk: Uint8Array, from: number): number {
    const table = this.#table;
    const end = chunk.length;
    let { row } = reader.state;
    let at = from;
    let cell = row;
    while (at < end) {
      cell = table[(row << 8) | (chunk[at] as number)] as number;
      if (cell <= 0) break;
      row = cell;
      at++;
    }
    this.#filling += at + 1 - from;
    const before = this.#rows[row] as State;
    reader.state = before;
    if (cell > 0) return at;
    if (cell < 0) {
      reader.state = this.#rows[-cell] as State;
      return at + 1;
    }
    const byte = chunk[at] as number;
    const next = this.#after(before, byte);
    if (next.row > 0 && next.epoch === before.epoch) {
      this.#table[(row << 8) | byte] = next.match === null ? next.row : -next.row;
    }
    reader.state = next;
    return at + 1;
  }

  /** Loops over indices and two lists for all steps: hostile output comes by here for each of its bytes. */
  #after({ spots, lengths }: State, byte: number): State {
    const step = ++this.#step;
    let [count, matched, route] = [0, 0, ''];
    for (let index = 0; index < spots.length; index++) {
      const spot = spots[index] as Spot;
      const length = (lengths[index] as number) + 1;
      if (length > spot.maxLength) continue;
      const { to, anew, completes } = spot.on(byte, this.#spotAt);
      for (let way = 0; way < to.length; way++) count = this.#add(to[way] as Spot, length, step, count);
      if (anew !== null) count = this.#add(anew, 0, step, count);
      if (completes && length > matched) {
        matched = length;
        route = spot.pattern.route;
      }
    }
    // A value has more than one byte: none is complete with its first.
    const begins = this.#beginsWith(byte);
    for (let index = 0; index < begins.length; index++) count = this.#add(begins[index] as Spot, 1, step, count);
    const match = matched === 0 ? null : { route, length: matched };
    return this.#known(this.#nextSpots.slice(0, count), this.#nextLengths.slice(0, count), match);
  }

  #add(spot: Spot, length: number, step: number, count: number): number {
    if (spot.step === step) {
      if ((this.#nextLengths[spot.index] as number) < length) this.#nextLengths[spot.index] = length;
      return count;
    }
    spot.step = step;
    spot.index = count;
    this.#nextSpots[count] = spot;
    this.#nextLengths[count] = length;
    return count + 1;
  }

  #beginsWith(byte: number): readonly Spot[] {
    this.#begins[byte] ??= this.#patterns.flatMap(
      ({ pattern, base }) => firstMoves(pattern, base, byte, this.#spotAt).to,
    );
    return this.#begins[byte];
  }

  readonly #spotAt = (place: Place): Spot => {
    const number = numberOf(place);
    const known = this.#spots.get(number);
    if (known !== undefined) return known;
    const spot = new Spot(place);
    this.#spots.set(number, spot);
    return spot;
  };

  /** The state of these spots, with a row of the table while there is room. */
  #known(spots: readonly Spot[], lengths: readonly number[], match: Match | null): State {
    if (this.#withoutTable > 0) return this.#stateOf(spots, lengths, match, 0);
    const name = nameOf(spots, lengths, match);
    const known = this.#states.get(name);
    if (known !== undefined) return known;
    if (this.#rows.length >= ROWS) {
      const state = this.#stateOf(spots, lengths, match, 0);
      if (this.#filling < WORTH_A_TABLE) this.#withoutTable = WORTH_A_TABLE;
      else this.#forget();
      return state;
    }
    const state = this.#stateOf(spots, lengths, match, Math.max(1, this.#rows.length));
    // Row 0 is nobody's: 0 in the table means that a state is not known yet.
    if (this.#rows.length === 0) this.#rows.push(state);
    this.#rows.push(state);
    this.#states.set(name, state);
    if (this.#rows.length * 256 > this.#table.length) {
      const wider = new Int16Array(this.#table.length * 2);
      wider.set(this.#table);
      this.#table = wider;
    }
    return state;
  }

  #stateOf(spots: readonly Spot[], lengths: readonly number[], match: Match | null, row: number): State {
    let [held, depth] = [0, 0];
    for (let index = 0; index < spots.length; index++) {
      const { isDone, at } = spots[index] as Spot;
      if (isDone) continue;
      held = Math.max(held, lengths[index] as number);
      depth = Math.max(depth, at);
    }
    return { spots, lengths, held, depth, match, row, epoch: this.#epoch };
  }

  /** A state of before everything was forgotten. */
  #renewed({ spots, lengths, match }: State): State {
    return this.#stateOf(spots.map(this.#spotAt), lengths, match, 0);
  }

  #forget(): void {
    this.#epoch++;
    this.#filling = 0;
    this.#rows = [];
    this.#states = new Map();
    this.#spots = new Map();
    this.#begins = [];
    this.#table.fill(0);
  }
}

function nameOf(spots: readonly Spot[], lengths: readonly number[], match: Match | null): string {
  const names = spots.map((spot, index) => `${numberOf(spot)}.${lengths[index]}`);
  return `${names.sort().join()};${match === null ? '' : `${match.route}.${match.length}`}`;
}
