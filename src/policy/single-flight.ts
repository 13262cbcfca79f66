import { cancelled } from './cancelled.ts';

interface Flight<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Identical calls under way share one. A waiter that gives up leaves alone; when the last one leaves, the call
 * itself is ended. What the call throws, all of its waiters throw.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  #shared = 0;

  /** Calls that did not have to be made. */
  get shared(): number {
    return this.#shared;
  }

  /** @throws what `call` throws; WardenError where `signal` ended */
  async run(key: string, signal: AbortSignal | undefined, call: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (signal?.aborted) throw cancelled(signal);
    const flight = this.#flights.get(key);
    if (flight !== undefined) this.#shared += 1;
    return this.#join(key, flight ?? this.#start(key, call), signal);
  }

  /** From now on nobody joins the calls that are under way; they end for those who wait already. */
  forget(): void {
    this.#flights.clear();
  }

  #start(key: string, call: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = { controller, waiting: 0, result: call(controller.signal) };
    this.#flights.set(key, flight);
    const land = (): void => this.#drop(key, flight);
    // Also keeps the failure of a call that everybody has left from ending the process.
    flight.result.then(land, land);
    return flight;
  }

  async #join(key: string, flight: Flight<T>, signal: AbortSignal | undefined): Promise<T> {
    flight.waiting += 1;
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_resolve, reject) => {
      if (signal === undefined) return;
      leave = () => reject(cancelled(signal));
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([left, flight.result]);
    } finally {
      if (leave !== undefined) signal?.removeEventListener('abort', leave);
      flight.waiting -= 1;
      if (flight.waiting === 0) {
        this.#drop(key, flight);
        flight.controller.abort();
      }
    }
  }

  #drop(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }
}
