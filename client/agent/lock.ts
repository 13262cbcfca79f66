import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { Timers } from '../../src/kernel/timers.ts';

const DELAY_STEP_MS = 100;
const MAX_DELAY_MS = 10_000;
const HASH_BYTES = 32;
/** Ten milliseconds: the waiting is what slows guessing down, the hash only has to outlive a look at the memory. */
const COST = 2 ** 12;

/**
 * `ssh-add -x`: until the same passphrase comes back, nothing is offered or signed. Of the passphrase only a salted
 * hash is kept. Attempts wait for one another and each wrong one takes longer, up to ten seconds, however many
 * connections try at once.
 */
export class Lock {
  readonly #timers: Timers;
  #locked: { readonly salt: Buffer; readonly hash: Buffer } | null = null;
  #failures = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get locked(): boolean {
    return this.#locked !== null;
  }

  /** False where it is locked already. The passphrase is wiped. */
  lock(passphrase: Buffer): Promise<boolean> {
    return this.#inTurn(async () => {
      try {
        if (this.#locked !== null) return false;
        const salt = randomBytes(16);
        this.#locked = { salt, hash: await hashOf(passphrase, salt) };
        return true;
      } finally {
        passphrase.fill(0);
      }
    });
  }

  /** False for a wrong passphrase, and where nothing is locked. The passphrase is wiped. */
  unlock(passphrase: Buffer): Promise<boolean> {
    return this.#inTurn(async () => {
      try {
        if (this.#locked === null) return false;
        const { salt, hash } = this.#locked;
        if (timingSafeEqual(await hashOf(passphrase, salt), hash)) {
          this.#locked = null;
          this.#failures = 0;
          return true;
        }
        this.#failures++;
        await new Promise<void>((resolve) =>
          this.#timers.after(Math.min(this.#failures * DELAY_STEP_MS, MAX_DELAY_MS), resolve),
        );
        return false;
      } finally {
        passphrase.fill(0);
      }
    });
  }

  #inTurn(work: () => Promise<boolean>): Promise<boolean> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }
}

function hashOf(passphrase: Buffer, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) =>
    scrypt(passphrase, salt, HASH_BYTES, { N: COST }, (error, hash) =>
      error === null ? resolve(hash) : reject(error),
    ),
  );
}
