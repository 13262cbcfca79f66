import { asWardenError, WardenError } from '../kernel/errors.ts';
import { publicRandom } from '../kernel/public-random.ts';
import { AgentFault } from '../ssh/agent-fault.ts';
import { RSA_SHA2_512 } from '../ssh/agent-protocol.ts';
import { assembleCertificate, encodeToBeSigned } from '../ssh/certificate.ts';
import { fingerprint } from '../ssh/fingerprint.ts';
import { parsePublicKeyBlob } from '../ssh/public-key.ts';
import { signatureAlgorithmIn, signatureAlgorithmOf } from '../ssh/signature.ts';
import type { AuthorityKey, CertificateAuthority, CertifyContext } from './certificate-authority.ts';
import { certificateFields } from './certificate-fields.ts';
import type { CertificatePlan } from './certificate-plan.ts';
import type { SshAgent } from './ssh-agent.ts';

export interface AgentAuthorityOptions {
  readonly agent: SshAgent;
  /** `SHA256:…` of the CA key, as `ssh-add -l` prints it. */
  readonly fingerprint: string;
  /** Published, never signed with. */
  readonly others?: readonly AuthorityKey[];
  /** Called with the key whenever it is found, before anything is signed with it. @throws to forbid it (posture) */
  readonly accept?: (key: AuthorityKey) => void;
}

/**
 * A certificate authority whose key an ssh-agent holds: it never enters this process. The agent may come and go;
 * until it was seen once, `keys()` knows the other keys only.
 */
export class AgentAuthority implements CertificateAuthority {
  readonly backend = 'local';
  readonly takesSerial = true;
  readonly #options: AgentAuthorityOptions;
  #key: AuthorityKey | null = null;
  #present = false;
  #search: Promise<AuthorityKey> | null = null;

  constructor(options: AgentAuthorityOptions) {
    this.#options = options;
  }

  keys(): readonly AuthorityKey[] {
    const others = this.#options.others ?? [];
    return this.#key === null ? others : [this.#key, ...others];
  }

  async certify(plan: CertificatePlan, context: CertifyContext): Promise<Buffer> {
    return await unlessAborted(context.signal, () => this.#certify(plan));
  }

  async ready(): Promise<void> {
    await this.#find();
  }

  async close(): Promise<void> {
    this.#options.agent.close();
  }

  async #certify(plan: CertificatePlan): Promise<Buffer> {
    const key = this.#present && this.#key !== null ? this.#key : await this.#find();
    const tbs = encodeToBeSigned(certificateFields(plan, key.publicKey, publicRandom(32)));
    const signature = await this.#sign(key, tbs);
    const wanted = signatureAlgorithmOf(key.publicKey);
    // An agent that does not know the flag signs with SHA-1, which no sshd of today takes.
    if (algorithmIn(signature) !== wanted) {
      throw new WardenError('ca_refused', `the ssh-agent does not sign with ${wanted}`, {
        hint: 'use an agent that knows rsa-sha2-512, or an ed25519 CA key',
      });
    }
    return assembleCertificate(tbs, signature);
  }

  async #sign(key: AuthorityKey, tbs: Buffer): Promise<Buffer> {
    const flags = key.publicKey.algorithm === 'ssh-rsa' ? RSA_SHA2_512 : 0;
    try {
      return await this.#options.agent.sign(key.publicKey.blob, tbs, flags);
    } catch (error) {
      if (!(error instanceof AgentFault)) throw error;
      this.#present = false;
      if (error.kind !== 'refused') throw unavailable(error);
      // One answer for a key that is gone and for a person who said no: asking for the list tells them apart.
      await this.#find();
      throw new WardenError('ca_refused', 'the ssh-agent declined to sign with the CA key', {
        hint: 'confirm the signature at the agent, or unlock it: ssh-add -X',
        cause: error,
      });
    }
  }

  /** Many may look at once after the agent came back: they share one search. */
  #find(): Promise<AuthorityKey> {
    this.#search ??= this.#look().finally(() => {
      this.#search = null;
    });
    return this.#search;
  }

  async #look(): Promise<AuthorityKey> {
    const { agent, accept } = this.#options;
    this.#present = false;
    const identities = await agent.identities().catch((error: unknown) => {
      throw error instanceof AgentFault ? unavailable(error) : asWardenError(error);
    });
    const found = identities.find(({ blob }) => fingerprint(blob) === this.#options.fingerprint);
    if (found === undefined) {
      throw new WardenError('ca_unavailable', `the ssh-agent does not hold the CA key ${this.#options.fingerprint}`, {
        hint: 'add the key to the agent: ssh-add FILE; `ssh-add -l` lists what it holds',
      });
    }
    const publicKey = parsePublicKeyBlob(found.blob, found.comment);
    const key: AuthorityKey = { publicKey, comment: found.comment, state: 'current', custody: 'agent' };
    accept?.(key);
    // The same object for the same key: what was derived from it is kept by it.
    if (this.#key === null || this.#key.comment !== key.comment) this.#key = key;
    this.#present = true;
    return this.#key;
  }
}

function algorithmIn(signature: Buffer): string {
  try {
    return signatureAlgorithmIn(signature);
  } catch {
    return '';
  }
}

/** Gives up waiting, not the work: an agent's answer that is on its way cannot be called back. */
async function unlessAborted<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  if (signal === undefined) return await work();
  const givenUp = (): WardenError => new WardenError('deadline_exceeded', 'the ssh-agent did not sign in time');
  if (signal.aborted) throw givenUp();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(givenUp());
    signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}

function unavailable(fault: AgentFault): WardenError {
  const message = {
    unreachable: 'the ssh-agent that holds the CA key cannot be reached',
    timeout: 'the ssh-agent that holds the CA key did not answer in time',
    overloaded: 'too many signatures wait for the ssh-agent that holds the CA key',
    protocol: 'the ssh-agent that holds the CA key answered what is no answer',
    refused: 'the ssh-agent did not list its keys',
  }[fault.kind];
  return new WardenError('ca_unavailable', message, {
    hint: 'see that the agent at SSH_AUTH_SOCK runs and holds the key: ssh-add -l',
    cause: fault,
    privateDetail: fault.message,
  });
}
