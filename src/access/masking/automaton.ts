import type { Alphabet } from './alphabet.ts';
import type { Pattern } from './forms.ts';
import { Beginning, type Place, placeName, Spot, type Start } from './spot.ts';

/** What is known after some bytes of a stream: the bytes that may be the start of a value, in any number of ways. */
export interface State {
  readonly spots: readonly Spot[];
  /** Of each of them: bytes since its start. */
  readonly lengths: readonly number[];
  /** All that begin with the last byte; null: nothing does. */
  readonly beginning: Beginning | null;
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

/** At most 2 MiB of table, or 4 where values have many bytes beyond ASCII. */
const ROWS = 8192;
const SPOTS = 32_768;
/** Of spots that the states with a row have, all together: a value that repeats itself has thousands in each. */
const SPOTS_OF_ROWS = 524_288;
/**
 * Where all rows are taken, new states get none. Once so many bytes were read beside the table, and were more than one
 * in `SHARE`, it is begun anew: the output is no longer what it was made for.
 */
const BESIDE_THE_TABLE = 65_536;
const SHARE = 16;

/**
 * All patterns at once: a deterministic automaton over sets of spots, made while it reads. Ordinary output meets a few
 * thousand states; for each byte then there is one look into a table. Of two candidates at one spot only the earlier is
 * kept: whatever completes it covers the other.
 */
export class Automaton {
  /** By first byte. */
  readonly #starts: Start[][] = [];
  readonly #letters: Uint8Array;
  /** The table has rows of 1 << so many cells. */
  readonly #shift: number;
  /** By first byte. */
  #beginnings: (Beginning | null | undefined)[] = [];
  #spots = new Map<number, Spot>();
  /** By hash. */
  #states = new Map<number, State[]>();
  /** Of each state a cell for each letter: 0 not known yet, n the row of the next state, -n the same where a match ends. */
  #table: Int16Array;
  #rows: State[] = [];
  #spotsOfRows = 0;
  #epoch = 0;
  #step = 0;
  readonly #nextSpots: Spot[] = [];
  readonly #nextLengths: number[] = [];
  /** Bytes read in the table and beside it since it was last asked whether it is any good. */
  #inTable = 0;
  #beside = 0;
  readonly start: State;

  constructor(patterns: readonly Pattern[], { letters, size }: Alphabet) {
    let base = 0;
    for (const pattern of patterns) {
      for (const byte of pattern.symbolAt(0)?.next.keys() ?? []) {
        this.#starts[byte] ??= [];
        this.#starts[byte].push({ pattern, base });
      }
      base += pattern.length + 1;
    }
    this.#letters = letters;
    this.#shift = size <= 128 ? 7 : 8;
    this.#table = new Int16Array(16 << this.#shift);
    this.start = this.#known(0, null, null);
  }

  /**
   * Reads on until a match ends or the chunk does, and answers how many bytes of it are read.
   * `reader.state` is where it stands then; its `match` is not null where it stopped for one.
   */
  read(reader: Reader, chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      if (reader.state.epoch !== this.#epoch) reader.state = this.#renewed(reader.state);
      if (reader.state.row > 0) at = this.#readTable(reader, chunk, at);
      else reader.state = this.#after(reader.state, chunk[at++] as number);
      if (reader.state.match !== null) return at;
    }
    return at;
  }

  #readTable(reader: Reader, chunk: Uint8Array, from: number): number {
    const table = this.#table;
    const letters = this.#letters;
    const shift = this.#shift;
    const end = chunk.length;
    let { row } = reader.state;
    let at = from;
    let cell = row;
    while (at < end) {
      cell = table[(row << shift) | (letters[chunk[at] as number] as number)] as number;
      if (cell <= 0) break;
      row = cell;
      at++;
    }
    this.#inTable += at - from;
    if (cell !== 0) {
      reader.state = this.#rows[Math.abs(cell)] as State;
      return cell > 0 ? at : at + 1;
    }
    const before = this.#rows[row] as State;
    const byte = chunk[at] as number;
    const next = this.#after(before, byte);
    if (next.row > 0 && next.epoch === before.epoch) {
      this.#table[(row << shift) | (letters[byte] as number)] = next.match === null ? next.row : -next.row;
    }
    reader.state = next;
    return at + 1;
  }

  /** Loops over indices and two lists for all steps: hostile output comes by here for each of its bytes. */
  #after({ spots, lengths, beginning }: State, byte: number): State {
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
    if (beginning !== null) {
      // A value has more than two bytes: none is complete with its second.
      const { to, anew } = beginning.on(byte, this.#spotAt);
      for (let way = 0; way < to.length; way++) count = this.#add(to[way] as Spot, 2, step, count);
      for (let way = 0; way < anew.length; way++) count = this.#add(anew[way] as Spot, 0, step, count);
    }
    const match = matched === 0 ? null : { route, length: matched };
    return this.#known(count, this.#beginsWith(byte), match);
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

  #beginsWith(byte: number): Beginning | null {
    const known = this.#beginnings[byte];
    if (known !== undefined) return known;
    const starts = this.#starts[byte];
    const beginning = starts === undefined ? null : new Beginning(byte, starts, this.#spotAt);
    this.#beginnings[byte] = beginning;
    return beginning;
  }

  readonly #spotAt = (place: Place): Spot => {
    const name = placeName(place);
    const known = this.#spots.get(name);
    if (known !== undefined) return known;
    const spot = new Spot(place, this.#spots.size);
    this.#spots.set(name, spot);
    return spot;
  };

  /** The state of the first `count` of the next spots, with a row of the table while there is room. */
  #known(count: number, beginning: Beginning | null, match: Match | null): State {
    const hash = this.#hash(count, beginning, match);
    const alike = this.#states.get(hash);
    const known = alike?.find((state) => this.#isNext(state, count, beginning, match));
    if (known !== undefined) return known;
    const spots = this.#nextSpots.slice(0, count);
    const lengths = this.#nextLengths.slice(0, count);
    // Those that are needed at once do not fill it: to make them anew for each byte would help nobody.
    const isFull = this.#spots.size > SPOTS + 2 * count;
    if (isFull || this.#rows.length >= ROWS || this.#spotsOfRows + count > SPOTS_OF_ROWS) {
      const state = this.#stateOf(spots, lengths, beginning, match, 0);
      if (isFull || this.#isOutdated()) this.#forget();
      return state;
    }
    const state = this.#stateOf(spots, lengths, beginning, match, Math.max(1, this.#rows.length));
    // Row 0 is nobody's: 0 in the table means that a state is not known yet.
    if (this.#rows.length === 0) this.#rows.push(state);
    this.#rows.push(state);
    this.#spotsOfRows += count;
    if (alike === undefined) this.#states.set(hash, [state]);
    else alike.push(state);
    if (this.#rows.length << this.#shift > this.#table.length) {
      const wider = new Int16Array(this.#table.length * 2);
      wider.set(this.#table);
      this.#table = wider;
    }
    return state;
  }

  #isOutdated(): boolean {
    this.#beside++;
    if (this.#beside < BESIDE_THE_TABLE) return false;
    const isOutdated = this.#inTable < this.#beside * SHARE;
    this.#inTable = 0;
    this.#beside = 0;
    return isOutdated;
  }

  /** Of the next spots: the same in whatever order they came. */
  #hash(count: number, beginning: Beginning | null, match: Match | null): number {
    let hash = beginning === null ? 0 : beginning.byte + 1;
    for (let index = 0; index < count; index++) {
      const { id } = this.#nextSpots[index] as Spot;
      hash = (hash + Math.imul(Math.imul(id + 1, 0x9e3779b1) ^ (this.#nextLengths[index] as number), 0x85ebca6b)) | 0;
    }
    return match === null ? hash : hash ^ match.length;
  }

  #isNext(state: State, count: number, beginning: Beginning | null, match: Match | null): boolean {
    const { spots, lengths } = state;
    if (spots.length !== count || state.beginning !== beginning) return false;
    if (state.match?.length !== match?.length || state.match?.route !== match?.route) return false;
    for (let index = 0; index < count; index++) {
      const spot = spots[index] as Spot;
      if (spot.step !== this.#step || this.#nextLengths[spot.index] !== lengths[index]) return false;
    }
    return true;
  }

  #stateOf(
    spots: readonly Spot[],
    lengths: readonly number[],
    beginning: Beginning | null,
    match: Match | null,
    row: number,
  ): State {
    let [held, depth] = beginning === null ? [0, 0] : [1, 1];
    for (let index = 0; index < spots.length; index++) {
      const { isDone, at } = spots[index] as Spot;
      if (isDone) continue;
      held = Math.max(held, lengths[index] as number);
      depth = Math.max(depth, at);
    }
    return { spots, lengths, beginning, held, depth, match, row, epoch: this.#epoch };
  }

  /** A state of before everything was forgotten. */
  #renewed({ spots, lengths, beginning, match }: State): State {
    const begun = beginning === null ? null : this.#beginsWith(beginning.byte);
    return this.#stateOf(spots.map(this.#spotAt), lengths, begun, match, 0);
  }

  #forget(): void {
    this.#epoch++;
    this.#rows = [];
    this.#spotsOfRows = 0;
    this.#states = new Map();
    this.#spots = new Map();
    this.#beginnings = [];
    this.#table.fill(0);
  }
}
