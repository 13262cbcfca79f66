import type { Timers } from '../../src/kernel/timers.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import { type StatusResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import type { Ring } from './ring.ts';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
const { fullName, methods } = WardenDefinition;

/**
 * Follows the daemon's status for as long as the ring holds a certificate, and has the ring look again at what it
 * holds when the configuration or a notice (a lockdown, say) changed, or the daemon came back.
 */
export class Watch {
  readonly #ring: Ring;
  readonly #connect: () => Promise<Channel>;
  readonly #timers: Timers;
  #running = false;
  #closed = false;
  #channel: Channel | null = null;

  constructor(ring: Ring, connect: () => Promise<Channel>, timers: Timers) {
    this.#ring = ring;
    this.#connect = connect;
    this.#timers = timers;
  }

  /** Starts, unless it runs already or there is nothing to watch over. */
  ensure(): void {
    if (this.#running || this.#closed || !this.#ring.holdsAny) return;
    this.#running = true;
    void this.#run().finally(() => {
      this.#running = false;
    });
  }

  close(): void {
    this.#closed = true;
    this.#channel?.close();
  }

  async #run(): Promise<void> {
    // Something may have changed between the issue and the first look.
    let known: string | null = null;
    let retryMs = FIRST_RETRY_MS;
    while (!this.#closed && this.#ring.holdsAny) {
      try {
        this.#channel = await this.#connect();
        for await (const status of this.#channel.stream(fullName, methods.watchStatus, {}, { deadlineMs: null })) {
          retryMs = FIRST_RETRY_MS;
          const now = whatMatters(status);
          if (now !== known) await this.#ring.recheck();
          known = now;
          if (this.#closed || !this.#ring.holdsAny) break;
        }
      } catch {
        // A daemon that is away takes nothing from what it issued; what changed meanwhile shows when it is back.
      } finally {
        this.#channel?.close();
        this.#channel = null;
      }
      if (this.#closed || !this.#ring.holdsAny) return;
      // Another daemon may have the same generation and mean something else by it.
      known = null;
      const wait = retryMs;
      await new Promise<void>((resolve) => this.#timers.after(wait, resolve));
      retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    }
  }
}

/** Counters change with every request, our own included. */
function whatMatters({ snapshot, notices, posture, startedAt }: StatusResponse): string {
  return JSON.stringify([String(snapshot?.generation), snapshot?.hash, notices, posture, startedAt]);
}
