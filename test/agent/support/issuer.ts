import { randomBytes, sign } from 'node:crypto';
import type { Issuer } from '../../../client/agent/issuer.ts';
import type { Clock } from '../../../src/kernel/clock.ts';
import {
  assembleCertificate,
  type Certificate,
  encodeToBeSigned,
  parseCertificate,
} from '../../../src/ssh/certificate.ts';
import { generateKeyPair } from '../../../src/ssh/generate-key.ts';
import { parsePublicKeyLine } from '../../../src/ssh/public-key.ts';
import { encodeSignature } from '../../../src/ssh/signature.ts';

const ca = generateKeyPair('ed25519', 'ca');

/** Stands where the daemon stands: real certificates over the key that is sent, or whatever it is told to throw. */
export class HandIssuer implements Issuer {
  readonly asked: { readonly actor: string; readonly publicKey: string }[] = [];
  names: readonly string[] = ['adm-tester'];
  lifeSeconds = 3600;
  /** Thrown instead of an answer. */
  fails: Error | null = null;
  /** What `permitted` says. */
  refuses: string | null = null;
  revokedSerials: readonly bigint[] = [];
  /** Answers wait for it. */
  gate: Promise<void> = Promise.resolve();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async issue(actor: string, publicKey: string): Promise<Certificate> {
    this.asked.push({ actor, publicKey });
    const now = BigInt(Math.floor(this.#clock.now() / 1000));
    await this.gate;
    if (this.fails !== null) throw this.fails;
    const authority = await ca;
    const tbs = encodeToBeSigned({
      publicKey: parsePublicKeyLine(publicKey),
      nonce: randomBytes(32),
      kind: 'user',
      serial: BigInt(this.asked.length),
      keyId: `${actor}/${this.asked.length}/-`,
      principals: ['tester'],
      validAfter: now - 60n,
      validBefore: now + BigInt(this.lifeSeconds),
      criticalOptions: [],
      extensions: [],
      signatureKey: authority.publicKey,
    });
    return parseCertificate(
      assembleCertificate(tbs, encodeSignature('ssh-ed25519', sign(null, tbs, authority.keyObject))),
    );
  }

  async permitted(): Promise<{ readonly refused: string | null }> {
    if (this.fails !== null) throw this.fails;
    return { refused: this.refuses };
  }

  async revoked({ serial }: Certificate): Promise<boolean> {
    if (this.fails !== null) throw this.fails;
    return this.revokedSerials.includes(serial);
  }

  async actors(): Promise<readonly string[]> {
    if (this.fails !== null) throw this.fails;
    return this.names;
  }
}
