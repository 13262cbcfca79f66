import { type KeyObject, randomBytes, sign } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import { publicRandom } from '../kernel/public-random.ts';
import { assembleCertificate, encodeToBeSigned } from '../ssh/certificate.ts';
import type { PrivateKey } from '../ssh/private-key.ts';
import { encodeSignature, hashOf, rawSignatureFromNode, signatureAlgorithmOf } from '../ssh/signature.ts';
import type { AuthorityKey, CertificateAuthority, CertifyContext } from './certificate-authority.ts';
import { certificateFields } from './certificate-fields.ts';
import type { CertificatePlan } from './certificate-plan.ts';
import { Lane } from './lane.ts';
import { verifyOffLoop } from './verify-off-loop.ts';

/**
 * Node's thread pool has four threads, and the ledger's fsync needs one of them: slow signatures take two.
 * Beyond what waits the answer is "busy", not a longer queue.
 */
const POOL_THREADS = 2;
const MAX_WAITING = 1024;

export interface LocalAuthorityOptions {
  readonly key: PrivateKey;
  readonly custody: AuthorityKey['custody'];
  /** As in `AuthorityKey`. */
  readonly since?: number;
  /** Published, never signed with. */
  readonly others?: readonly AuthorityKey[];
  readonly backend?: 'local' | 'synthetic';
}

/** A certificate authority whose private key is in this process. */
export class LocalAuthority implements CertificateAuthority {
  readonly backend: 'local' | 'synthetic';
  readonly takesSerial = true;
  readonly signsInProcess = true;
  readonly #key: PrivateKey;
  readonly #keys: readonly AuthorityKey[];
  readonly #lane = new Lane(POOL_THREADS, MAX_WAITING);
  #broken = false;

  constructor(options: LocalAuthorityOptions) {
    const { key, custody, since, others = [] } = options;
    this.backend = options.backend ?? 'local';
    this.#key = key;
    const current = { publicKey: key.publicKey, comment: key.comment, state: 'current', custody } as const;
    this.#keys = [since === undefined ? current : { ...current, since }, ...others];
  }

  keys(): readonly AuthorityKey[] {
    return this.#keys;
  }

  async certify(plan: CertificatePlan, context: CertifyContext): Promise<Buffer> {
    if (context.signal?.aborted === true) throw new WardenError('deadline_exceeded', 'the request was given up');
    if (this.#broken) throw broken();
    const { publicKey } = this.#key;
    const tbs = encodeToBeSigned(certificateFields(plan, publicKey, publicRandom(32)));
    return assembleCertificate(tbs, await this.#signatureOver(tbs));
  }

  /** Signs something and verifies it: a key, library or machine that signs wrongly stops signing here. */
  async ready(): Promise<void> {
    const message = randomBytes(64);
    const good = await verifyOffLoop(this.#key.publicKey, message, await this.#signatureOver(message));
    this.#broken = !good;
    if (!good) throw broken();
  }

  async #signatureOver(message: Buffer): Promise<Buffer> {
    const algorithm = signatureAlgorithmOf(this.#key.publicKey);
    const signature = await this.#sign(hashOf(algorithm), message, this.#key.keyObject);
    return encodeSignature(algorithm, rawSignatureFromNode(algorithm, signature));
  }

  async close(): Promise<void> {}

  /**
   * ed25519 and p256 sign in about the time that a trip to the thread pool takes (0.06 and 0.07 ms against 0.15
   * to 0.3), so they sign here. The others need 1.5 to 6 ms, in which the loop had better serve other requests.
   */
  async #sign(hash: string | null, tbs: Buffer, key: KeyObject): Promise<Buffer> {
    const options = { key, dsaEncoding: 'ieee-p1363' as const };
    if (hash === null || hash === 'sha256') return sign(hash, tbs, options);
    if (this.#lane.full) {
      throw new WardenError('ca_unavailable', 'too many signatures wait for the certificate authority', {
        hint: 'ask again in a moment; an ed25519 CA key signs far faster than rsa',
      });
    }
    return await this.#lane.run(
      () =>
        new Promise((resolve, reject) => {
          sign(hash, tbs, options, (error, signature) => (error === null ? resolve(signature) : reject(error)));
        }),
    );
  }
}

function broken(): WardenError {
  return new WardenError('ca_unavailable', 'the CA key makes signatures that do not verify', {
    hint: 'replace the CA key, and doubt the memory of this machine',
  });
}
