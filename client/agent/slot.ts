import type { KeyObject } from 'node:crypto';
import type { ErrorKind } from '../../src/kernel/reason.ts';
import type { Certificate } from '../../src/ssh/certificate.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import { isPrintable } from '../../src/ssh/key-line.ts';
import type { PrivateKey } from '../../src/ssh/private-key.ts';
import { formatPublicKey } from '../../src/ssh/public-key.ts';
import { type ShownError, toShown } from '../report-error.ts';
import type { RingPorts } from './ring-ports.ts';

/** One certificate with its key, in memory only. */
export interface Held {
  readonly actor: string;
  /** The certificate's wire encoding. */
  readonly blob: Buffer;
  readonly comment: string;
  readonly key: KeyObject;
  readonly certificate: Certificate;
  /** Milliseconds since the epoch. */
  readonly validBefore: number;
}

export interface SlotState {
  readonly actor: string;
  readonly validBefore: number | null;
  readonly keyId: string | null;
  readonly problem: ShownError | null;
}

/** Renewed when two thirds of the life are over, or up to a twelfth of it later. */
const RENEW_AFTER = 2 / 3;
const RENEW_SPREAD = 1 / 12;
/** A login takes a moment from the offer to the check at the host: what ends sooner is not offered any more. */
const LEAST_LEFT_MS = 5_000;
/** `ssh` asks several times in a second for one login, and one answer does for all. */
const HOLD_REFUSAL_MS = 2_000;
const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 60_000;

/** Not the daemon's no: the certificate that was issued stays. */
const PASSING_KINDS: readonly ErrorKind[] = ['unreachable', 'unavailable', 'internal'];
/** Refusals that pass by themselves. */
const PASSING = ['rate_limited', 'concurrency_limited', 'connection_limited', 'caller_gone', 'caller_changed'];

/** The key and the certificates of one actor: asked for at the first need, renewed in time while they are used. */
export class Slot {
  readonly #actor: string;
  readonly #ports: RingPorts;
  #key: PrivateKey | null = null;
  #current: Held | null = null;
  /** The one before, for a login that was offered it a moment ago. */
  #previous: Held | null = null;
  #renewAt = 0;
  #wanted = false;
  #flight: Promise<void> | null = null;
  #problem: ShownError | null = null;
  #quietUntil = Number.NEGATIVE_INFINITY;
  #retryMs = FIRST_RETRY_MS;
  #cancelTimer: () => void = () => {};
  /** Counts what was thrown away: an answer that was asked for before belongs to no one. */
  #era = 0;

  constructor(actor: string, ports: RingPorts) {
    this.#actor = actor;
    this.#ports = ports;
  }

  get holds(): boolean {
    return this.#valid(this.#current) !== null;
  }

  /** The certificate to offer; asks for one where there is none, and waits for it. Null where it is refused. */
  async need(): Promise<Held | null> {
    this.#wanted = true;
    const { clock } = this.#ports;
    if (this.#offerable() === null) {
      if (clock.monotonic() < this.#quietUntil) return null;
      await this.#ask();
    } else if (clock.now() >= this.#renewAt && clock.monotonic() >= this.#quietUntil) {
      // A timer sleeps with the machine: whoever comes after it had been due sets it off.
      void this.#ask();
    }
    return this.#offerable();
  }

  find(blob: Buffer): Held | null {
    for (const held of [this.#valid(this.#current), this.#valid(this.#previous)]) {
      if (held?.blob.equals(blob) !== true) continue;
      this.#wanted = true;
      return held;
    }
    return null;
  }

  forget(): void {
    this.#era++;
    this.#flight = null;
    this.#drop();
    this.#problem = null;
    this.#quietUntil = Number.NEGATIVE_INFINITY;
  }

  async recheck(): Promise<void> {
    const era = this.#era;
    const held = this.#current;
    if (!this.holds || held === null || this.#key === null) return;
    const { issuer, events } = this.#ports;
    try {
      const { refused } = await issuer.permitted(this.#actor, formatPublicKey(this.#key.publicKey));
      // The actor may have another one; this one no host takes any more, and nobody there would say why.
      const revoked = refused === null && (await issuer.revoked(held.certificate));
      if (era !== this.#era || (refused === null && !revoked)) return;
      this.#drop();
      const { serial } = held.certificate;
      events.problem(
        'dropped',
        { actor: this.#actor, reason: refused ?? 'certificate_revoked' },
        refused === null
          ? `${this.#actor}: certificate with serial ${serial} is revoked; key and certificate are gone, the next need gets others`
          : `${this.#actor}: the daemon would not issue it any more (${refused}); key and certificate are gone`,
      );
    } catch (error) {
      if (era === this.#era) this.#failed(toShown(error));
    }
  }

  state(): SlotState {
    const held = this.#valid(this.#current);
    return {
      actor: this.#actor,
      validBefore: held?.validBefore ?? null,
      keyId: held?.certificate.keyId ?? null,
      problem: this.#problem,
    };
  }

  #offerable(): Held | null {
    const held = this.#current;
    return held !== null && held.validBefore - this.#ports.clock.now() > LEAST_LEFT_MS ? held : null;
  }

  #valid(held: Held | null): Held | null {
    return held !== null && held.validBefore > this.#ports.clock.now() ? held : null;
  }

  /** One request at a time; whoever comes meanwhile waits for the same answer. */
  #ask(): Promise<void> {
    if (this.#flight !== null) return this.#flight;
    const flight = this.#issue().finally(() => {
      if (this.#flight === flight) this.#flight = null;
    });
    this.#flight = flight;
    return flight;
  }

  async #issue(): Promise<void> {
    const { issuer, clock, events } = this.#ports;
    const era = this.#era;
    try {
      this.#key ??= await generateKeyPair('ed25519', this.#actor);
      const key = this.#key;
      const certificate = await issuer.issue(this.#actor, formatPublicKey(key.publicKey));
      if (era !== this.#era) return;
      const validBefore = Number(certificate.validBefore) * 1000;
      const comment = isPrintable(certificate.keyId) ? certificate.keyId : this.#actor;
      this.#previous = this.#current;
      this.#current = {
        actor: this.#actor,
        blob: certificate.blob,
        comment,
        key: key.keyObject,
        certificate,
        validBefore,
      };
      this.#problem = null;
      this.#retryMs = FIRST_RETRY_MS;
      this.#wanted = false;
      const life = Math.max(0, validBefore - clock.now());
      const wait = life * (RENEW_AFTER + RENEW_SPREAD * this.#ports.random());
      this.#renewAt = clock.now() + wait;
      this.#wakeAfter(wait);
      events.note(
        'issued',
        {
          actor: this.#actor,
          serial: String(certificate.serial),
          key_id: certificate.keyId,
          valid_before: new Date(validBefore).toISOString(),
        },
        `${this.#actor}: certificate ${certificate.keyId}, serial ${certificate.serial}, until ${new Date(validBefore).toISOString()}`,
      );
    } catch (error) {
      if (era === this.#era) this.#failed(toShown(error));
    }
  }

  #failed(shown: ShownError): void {
    const { clock, events } = this.#ports;
    const passing = PASSING_KINDS.includes(shown.kind) || PASSING.includes(shown.reason);
    this.#problem = shown;
    this.#quietUntil = clock.monotonic() + HOLD_REFUSAL_MS;
    // The daemon says no: then what it said yes to before is not used any longer either.
    if (!passing) this.#drop();
    else if (this.holds) {
      this.#wakeAfter(this.#retryMs * (1 + this.#ports.random()));
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    }
    events.problem(
      'not_issued',
      { actor: this.#actor, reason: shown.reason, request_id: shown.requestId ?? null },
      `${this.#actor}: ${shown.kind}: ${shown.message} (${factsOf(shown)}); do: ${shown.hint}`,
    );
  }

  /** Renews where the certificate was used since it came; else it lapses, and the next need asks anew. */
  #wakeAfter(ms: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#ports.timers.after(Math.ceil(ms), () => {
      if (!this.#wanted) return;
      void this.#ask();
    });
  }

  #drop(): void {
    this.#cancelTimer();
    this.#key = null;
    this.#current = null;
    this.#previous = null;
    this.#wanted = false;
  }
}

/** What an administrator finds it by. */
function factsOf({ reason, decisionId, ledgerSeq }: ShownError): string {
  const facts = [reason, decisionId && `decision ${decisionId}`, ledgerSeq && `ledger ${ledgerSeq}`];
  return facts.filter(Boolean).join(', ');
}
