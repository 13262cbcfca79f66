import type { MaskedValue, Masker } from '../masker.ts';
import { Automaton, type State } from './automaton.ts';
import { Covered } from './covered.ts';
import { patternsOf } from './patterns.ts';
import { SHOWABLE } from './spot.ts';

/** What is to be masked, ready for any number of streams. */
export interface Mask {
  /** Routes with a value too short to be masked: of less than four bytes. Whoever starts the command is to be warned. */
  readonly tooShort: readonly string[];
  /** For one stream. */
  masker(): Masker;
}

/** Reads the values once, which takes some milliseconds, and more for values of many kilobytes. They may be disposed of afterwards. */
export function prepareMask(values: readonly MaskedValue[]): Mask {
  const { patterns, alphabet, tooShort } = patternsOf(values);
  const automaton = new Automaton(patterns, alphabet);
  return { tooShort, masker: () => (patterns.length === 0 ? UNMASKED : new StreamMasker(automaton)) };
}

/** For one stream, where nobody is to be told of values that are too short. */
export function createMasker(values: readonly MaskedValue[]): Masker {
  return prepareMask(values).masker();
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it is the escape character that is meant
const COLOUR = /\x1b\[[0-9;:]{0,32}m/g;
const NOTHING = new Uint8Array(0);
const UNMASKED: Masker = { push: (chunk) => chunk, settle: () => NOTHING, end: () => NOTHING };

/** Changes of colour inside a value are shown behind its mark: all that follows would look wrong otherwise. */
function coloursIn(masked: Uint8Array): Uint8Array[] {
  if (!masked.includes(0x1b)) return [];
  const text = Buffer.from(masked.buffer, masked.byteOffset, masked.length).toString('latin1');
  return (text.match(COLOUR) ?? []).map((colour) => Buffer.from(colour, 'latin1'));
}

class StreamMasker implements Masker {
  readonly #automaton: Automaton;
  readonly #covered = new Covered();
  readonly #reader: { state: State };
  /** Of the stream: bytes read, and bytes that have left or were replaced. */
  #read = 0;
  #left = 0;
  /** The bytes between the two. */
  #held: Uint8Array = NOTHING;

  constructor(automaton: Automaton) {
    this.#automaton = automaton;
    this.#reader = { state: automaton.start };
  }

  push(chunk: Uint8Array): Uint8Array {
    for (let at = 0; at < chunk.length; ) {
      at = this.#automaton.read(this.#reader, chunk, at);
      const { match } = this.#reader.state;
      if (match !== null) this.#covered.add(this.#read + at - match.length, this.#read + at, match.route);
    }
    this.#read += chunk.length;
    if (this.#held.length > 0) this.#held = Buffer.concat([this.#held, chunk]);
    else this.#held = chunk;
    return this.#release(this.#read - this.#reader.state.held);
  }

  settle(): Uint8Array {
    return this.#reader.state.depth <= SHOWABLE ? this.#release(this.#read) : NOTHING;
  }

  end(): Uint8Array {
    return this.#release(this.#read);
  }

  /** All bytes of the stream before `until`, masked. What stays is copied: the chunk is the caller's. */
  #release(until: number): Uint8Array {
    const first = this.#left;
    const out: Uint8Array[] = [];
    this.#left = this.#covered.upTo(until, first, {
      shown: (from, to) => out.push(this.#held.subarray(from - first, to - first)),
      masked: (from, to, mark) => {
        if (mark !== null) out.push(Buffer.from(`[masked:${mark}]`));
        out.push(...coloursIn(this.#held.subarray(from - first, to - first)));
      },
    });
    const rest = this.#held.subarray(this.#left - first);
    this.#held = rest.length === 0 ? NOTHING : Uint8Array.from(rest);
    return out.length === 1 ? (out[0] ?? NOTHING) : Buffer.concat(out);
  }
}
