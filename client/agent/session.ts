import { sign } from 'node:crypto';
import {
  extensionFailureAnswer,
  failureAnswer,
  identitiesAnswer,
  queryAnswer,
  readAgentRequest,
  signatureAnswer,
  statusAnswer,
  successAnswer,
} from '../../src/ssh/agent-request.ts';
import { hostFingerprint } from '../../src/ssh/host-key.ts';
import {
  type Binding,
  bindSession,
  isForwarded,
  refusalOf,
  UNBOUND,
  withoutBind,
} from '../../src/ssh/session-binding.ts';
import { encodeSignature } from '../../src/ssh/signature.ts';
import { readUserauthRequest, type UserauthRequest } from '../../src/ssh/userauth-request.ts';
import { WireError } from '../../src/ssh/wire.ts';
import { clean } from '../output.ts';
import type { Confirmer } from './confirm.ts';
import type { Events } from './events.ts';
import type { Lock } from './lock.ts';
import type { Ring } from './ring.ts';
import { statusJson } from './status-json.ts';

export interface SessionPorts {
  readonly ring: Ring;
  readonly lock: Lock;
  /** Null: every use is allowed. */
  readonly confirmer: Confirmer | null;
  /** Hosts that the agent is forwarded to may use it. */
  readonly allowForwarded: boolean;
  readonly events: Events;
}

/** One connection: what it asks, in order, and what is known of where it leads. */
export class Session {
  readonly #ports: SessionPorts;
  readonly #peer: string;
  readonly #signal: AbortSignal;
  #binding = UNBOUND;

  /** `peer` is for people: who is on the other end. `signal` says that it is gone. */
  constructor(peer: string, signal: AbortSignal, ports: SessionPorts) {
    this.#peer = peer;
    this.#signal = signal;
    this.#ports = ports;
  }

  /** The answer to one message. Anything malformed is answered with a failure; never throws. */
  async answer(message: Buffer): Promise<Buffer> {
    try {
      return await this.#answer(message);
    } catch (error) {
      const what = error instanceof WireError ? error.message : 'it could not be done';
      this.#problem('failed', `refused a message of ${this.#peer}: ${what}`);
      return failureAnswer();
    }
  }

  async #answer(message: Buffer): Promise<Buffer> {
    const request = readAgentRequest(message);
    const { ring, lock } = this.#ports;
    // As ssh-agent does: a locked agent shows an empty list, and takes the passphrase. Unlike ssh-agent it also learns
    // where a connection leads: one that a host was given meanwhile would be taken for a local one once it is unlocked.
    if (lock.locked && request.kind !== 'unlock' && request.kind !== 'session_bind') {
      return request.kind === 'identities' ? identitiesAnswer([]) : failureAnswer();
    }
    switch (request.kind) {
      case 'identities':
        // A host that may not log in by the agent need not learn what it holds, nor have anything issued.
        return identitiesAnswer(this.#elsewhere ? [] : await ring.offer());
      case 'sign':
        return this.#sign(request.blob, request.data);
      case 'remove':
        return this.#elsewhere || !ring.forget(request.blob) ? failureAnswer() : successAnswer();
      case 'remove_all':
        if (this.#elsewhere) return failureAnswer();
        ring.forget(null);
        return successAnswer();
      case 'no_op':
        return successAnswer();
      case 'lock':
        // Nor may it shut the user out with a passphrase of its own, or guess theirs.
        if (this.#elsewhere) return failureAnswer();
        return (await lock.lock(request.passphrase)) ? successAnswer() : failureAnswer();
      case 'unlock':
        if (this.#elsewhere) return failureAnswer();
        return (await lock.unlock(request.passphrase)) ? successAnswer() : failureAnswer();
      case 'session_bind':
        return this.#bind(bindSession(this.#binding, request.bind));
      case 'malformed_bind':
        return this.#bind(withoutBind(this.#binding));
      case 'query':
        return queryAnswer();
      case 'status':
        if (this.#elsewhere) return extensionFailureAnswer();
        await ring.offer();
        return statusAnswer(statusJson(ring.states()));
      case 'add':
        this.#problem('add_refused', `refused a key of ${this.#peer}: this agent holds keys of its own making only`);
        return failureAnswer();
      case 'other_extension':
        return extensionFailureAnswer();
      case 'unknown':
        return failureAnswer();
    }
  }

  get #elsewhere(): boolean {
    return this.#binding.refused !== null || (isForwarded(this.#binding) && !this.#ports.allowForwarded);
  }

  #bind(binding: Binding): Buffer {
    const before = this.#binding;
    this.#binding = binding;
    const { refused } = this.#binding;
    if (refused === null) return successAnswer();
    if (before.refused === null) this.#problem('bind_refused', `${this.#peer} gets nothing any more: ${refused}`);
    return extensionFailureAnswer();
  }

  async #sign(blob: Buffer, data: Buffer): Promise<Buffer> {
    const { ring, confirmer, events } = this.#ports;
    const held = ring.find(blob);
    if (held === null) return failureAnswer();
    const login = loginIn(data);
    const refused =
      login === null || !login.blob.equals(blob)
        ? 'what is to be signed is no login with this certificate'
        : refusalOf(this.#binding, login, this.#ports.allowForwarded);
    if (login === null || refused !== null) {
      this.#problem('sign_refused', `${held.actor}: refused a signature to ${this.#peer}: ${refused}`);
      return failureAnswer();
    }
    const last = this.#binding.sessions.at(-1);
    const where = last === undefined ? 'an unknown host' : `the host with key ${hostFingerprint(last.hostKey)}`;
    const what = `${held.actor} as ${clean(login.user)} on ${where}`;
    if (confirmer !== null) {
      const hops = this.#binding.sessions.length > 1 ? ', over a forwarded agent' : '';
      const yes = await confirmer.confirm(`Log in with ${what}${hops}? Asked by ${this.#peer}.`, this.#signal);
      if (!yes) {
        this.#problem('not_confirmed', `${what}: not confirmed, for ${this.#peer}`);
        return failureAnswer();
      }
      // A person takes time: what was locked or taken away meanwhile is not used.
      if (this.#ports.lock.locked || ring.find(blob) !== held) return failureAnswer();
    }
    const signature = sign(null, data, held.key);
    events.note('signed', { actor: held.actor, user: login.user, peer: this.#peer }, `${what}, for ${this.#peer}`);
    return signatureAnswer(encodeSignature('ssh-ed25519', signature));
  }

  #problem(event: string, sentence: string): void {
    this.#ports.events.problem(event, { peer: this.#peer }, sentence);
  }
}

function loginIn(data: Buffer): UserauthRequest | null {
  try {
    return readUserauthRequest(data);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
