import type { RingPorts } from './ring-ports.ts';
import { type Held, Slot, type SlotState } from './slot.ts';

/**
 * The agent's keys, one slot for each actor. Without names the one actor that admits this user is taken, once the
 * daemon says which that is.
 */
export class Ring {
  readonly #ports: RingPorts;
  #slots: Slot[];
  #asking: Promise<void> | null = null;
  #unresolved: string | null = null;

  constructor(actors: readonly string[], ports: RingPorts) {
    this.#ports = ports;
    this.#slots = actors.map((actor) => new Slot(actor, ports));
  }

  /** What may be offered now, in the order of the actors; certificates that are missing are asked for first. */
  async offer(): Promise<Held[]> {
    if (this.#slots.length === 0) await this.#resolve();
    const held = await Promise.all(this.#slots.map((slot) => slot.need()));
    return held.filter((one) => one !== null);
  }

  /** The identity with this certificate while it is valid; null for any other blob. */
  find(blob: Buffer): Held | null {
    for (const slot of this.#slots) {
      const held = slot.find(blob);
      if (held !== null) return held;
    }
    return null;
  }

  /** Throws keys and certificates away: of one certificate's actor, or of all. False where there was none. */
  forget(blob: Buffer | null): boolean {
    const meant = this.#slots.filter((slot) => blob === null || slot.find(blob) !== null);
    for (const slot of meant) slot.forget();
    return blob === null || meant.length > 0;
  }

  /** Drops what the daemon would not issue any more. For when something changed there. */
  async recheck(): Promise<void> {
    await Promise.all(this.#slots.map((slot) => slot.recheck()));
  }

  get holdsAny(): boolean {
    return this.#slots.some((slot) => slot.holds);
  }

  states(): { readonly actors: readonly SlotState[]; readonly problem: string | null } {
    return { actors: this.#slots.map((slot) => slot.state()), problem: this.#unresolved };
  }

  close(): void {
    for (const slot of this.#slots) slot.forget();
  }

  /**
   * Looks, at the start, at whom the daemon admits: without names the only actor is taken; names that are none of this
   * user's are told at once, and stay, since an administrator may add them. @throws whatever the daemon says
   */
  async chooseActor(): Promise<void> {
    const names = await this.#ports.issuer.actors();
    if (this.#slots.length > 0) {
      for (const { actor } of this.#slots.map((slot) => slot.state())) {
        if (names.includes(actor)) continue;
        this.#ports.events.problem(
          'not_yours',
          { actor },
          `${actor} does not admit you; yours: ${names.join(', ') || 'none'}`,
        );
      }
      return;
    }
    const [only] = names;
    if (names.length === 1 && only !== undefined) {
      this.#slots = [new Slot(only, this.#ports)];
      this.#unresolved = null;
      return;
    }
    this.#unresolved =
      only === undefined ? 'no actor admits you' : `${names.length} actors admit you: ${names.slice(0, 8).join(', ')}`;
  }

  get unresolved(): string | null {
    return this.#unresolved;
  }

  #resolve(): Promise<void> {
    this.#asking ??= this.chooseActor()
      .catch((error: unknown) => {
        this.#unresolved = error instanceof Error ? error.message : String(error);
      })
      .then(() => {
        if (this.#unresolved !== null) {
          this.#ports.events.problem('no_actor', {}, `nothing to offer: ${this.#unresolved}`);
        }
      })
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }
}
