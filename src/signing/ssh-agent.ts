import type { KeyObject } from 'node:crypto';
import { AgentFault } from '../ssh/agent-fault.ts';
import {
  type AgentIdentity,
  type Constraints,
  encodeAddCertificate,
  encodeAddIdentity,
  encodeRemoveIdentity,
  encodeRequestIdentities,
  encodeSignRequest,
  readIdentities,
  readSignature,
  readSuccess,
} from '../ssh/agent-protocol.ts';
import { AgentConnection, type ConnectionLimits } from './agent-connection.ts';

/** A person may have to confirm a signature, or touch a token: half a minute for each answer. */
const DEFAULTS: ConnectionLimits = { timeoutMs: 30_000, maxInFlight: 16, maxWaiting: 1024 };

/** A running ssh-agent, over one connection that is made when it is needed and again after it was lost. */
export class SshAgent {
  readonly #path: string;
  readonly #limits: ConnectionLimits;
  #connection: AgentConnection | null = null;
  #closed = false;

  /** `path` as SSH_AUTH_SOCK has it. */
  constructor(path: string, limits: Partial<ConnectionLimits> = {}) {
    this.#path = path;
    this.#limits = { ...DEFAULTS, ...limits };
  }

  /** @throws AgentFault */
  async identities(): Promise<AgentIdentity[]> {
    return readIdentities(await this.#ask(encodeRequestIdentities));
  }

  /** The signature blob (algorithm and signature). @throws AgentFault */
  async sign(blob: Buffer, data: Buffer, flags = 0): Promise<Buffer> {
    return readSignature(await this.#ask(() => encodeSignRequest(blob, data, flags)));
  }

  /** @throws AgentFault */
  async add(key: KeyObject, comment: string, constraints: Constraints): Promise<void> {
    readSuccess(await this.#ask(() => encodeAddIdentity(key, comment, constraints), true));
  }

  /** Adds a private key together with a certificate over it. @throws AgentFault */
  async addCertificate(key: KeyObject, certificate: Buffer, comment: string, constraints: Constraints): Promise<void> {
    readSuccess(await this.#ask(() => encodeAddCertificate(key, certificate, comment, constraints), true));
  }

  /** Removes a key or a certificate by its blob. @throws AgentFault */
  async remove(blob: Buffer): Promise<void> {
    readSuccess(await this.#ask(() => encodeRemoveIdentity(blob)));
  }

  /** What waits is rejected. */
  close(): void {
    this.#closed = true;
    this.#connection?.close();
    this.#connection = null;
  }

  /** Every message here may be sent twice without harm, so one that met a connection just lost gets a new one. */
  async #ask(encode: () => Buffer, wipe = false): Promise<Buffer> {
    if (this.#closed) throw new AgentFault('unreachable', 'the connection to the agent was closed');
    const kept = this.#connection;
    if (kept?.usable === true && kept.answered) {
      try {
        return await kept.request(encode(), wipe);
      } catch (error) {
        if (!(error instanceof AgentFault) || error.kind !== 'unreachable' || this.#closed) throw error;
      }
    }
    return await this.#connect().request(encode(), wipe);
  }

  #connect(): AgentConnection {
    if (this.#connection?.usable !== true) this.#connection = new AgentConnection(this.#path, this.#limits);
    return this.#connection;
  }
}
