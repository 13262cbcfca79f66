import type { Clock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';

/** 63 bits: readers that hold a serial in a signed 64-bit number must not see a negative one. */
export const MAX_SERIAL = (1n << 63n) - 1n;

/** Per millisecond of the wall clock. Keeps serials below 2^53 until 2039, for readers that hold them in a double. */
const PER_MILLISECOND = 4096n;

export interface SerialOptions {
  readonly clock: Pick<Clock, 'now'>;
  /** The highest serial that the ledger holds for this CA; 0n where there is none. */
  readonly lastUsed: bigint;
}

/**
 * Serials that rise strictly for the CA's life. They follow the wall clock, so that a state folder put back from
 * a copy (whose ledger has forgotten the newest serials) leads to none a second time; where the clock stands
 * still, jumps back, or is outrun, they go on one above the last.
 */
export class SerialSource {
  readonly #clock: Pick<Clock, 'now'>;
  #last: bigint;

  constructor(options: SerialOptions) {
    if (options.lastUsed < 0n || options.lastUsed > MAX_SERIAL) throw outOfRange(options.lastUsed);
    this.#clock = options.clock;
    this.#last = options.lastUsed;
  }

  /** The highest serial handed out or known as used. */
  get last(): bigint {
    return this.#last;
  }

  /** @throws WardenError internal where the 63 bits are used up (then the CA needs a new key). */
  next(): bigint {
    const fromClock = BigInt(Math.trunc(this.#clock.now())) * PER_MILLISECOND;
    const serial = fromClock > this.#last ? fromClock : this.#last + 1n;
    if (serial > MAX_SERIAL) throw outOfRange(serial);
    this.#last = serial;
    return serial;
  }
}

function outOfRange(serial: bigint): WardenError {
  return new WardenError('internal', 'internal error', { privateDetail: `serial ${serial} is beyond 63 bits` });
}
