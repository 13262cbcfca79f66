import { WardenError } from '../../src/kernel/errors.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import { type SignRequest, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { type Certificate, parseCertificateLine } from '../../src/ssh/certificate.ts';
import { isRevoked, parseRevocationList } from '../../src/ssh/krl.ts';
import { parsePublicKeyLine } from '../../src/ssh/public-key.ts';
import { withDaemon } from '../connect.ts';
import { readSignResponse } from '../evidence.ts';
import type { Invocation } from '../invocation.ts';
import { readIdToken } from '../sign-request.ts';
import type { Issuer } from './issuer.ts';

const { fullName, methods } = WardenDefinition;
/** The key was made for an agent that keeps it over many certificates: the caller holds it. */
const PURPOSE_SIGN = 1;

/** Asks wardend, over a connection of its own each time: an agent lives longer than daemons do. */
export class DaemonIssuer implements Issuer {
  readonly #invocation: Invocation;

  constructor(invocation: Invocation) {
    this.#invocation = invocation;
  }

  async issue(actor: string, publicKey: string): Promise<Certificate> {
    const request = this.#request(actor, publicKey);
    const response = await this.#with((channel) => channel.unary(fullName, methods.sign, request));
    const certificate = parseCertificateLine(readSignResponse(response).certificate);
    if (!certificate.publicKey.blob.equals(parsePublicKeyLine(publicKey).blob)) {
      throw new WardenError('internal', 'the daemon certified another key than was sent', {
        hint: 'see whose socket it is that the agent asks',
      });
    }
    return certificate;
  }

  async permitted(actor: string, publicKey: string): Promise<{ readonly refused: string | null }> {
    const request = { sign: this.#request(actor, publicKey), ask: false, fetch: undefined, exec: undefined };
    const { verdict, reason } = await this.#with((channel) => channel.unary(fullName, methods.explain, request));
    return { refused: verdict === 'refused' ? reason : null };
  }

  async revoked(certificate: Certificate): Promise<boolean> {
    const { list } = await this.#with((channel) => channel.unary(fullName, methods.getRevocationList, {}));
    return isRevoked(parseRevocationList(Buffer.from(list)), certificate);
  }

  async actors(): Promise<readonly string[]> {
    const { actors } = await this.#with((channel) => channel.unary(fullName, methods.listActors, {}));
    return actors.filter(({ usable }) => usable).map(({ name }) => name);
  }

  #request(actor: string, publicKey: string): SignRequest {
    const { args, env } = this.#invocation;
    return {
      actor,
      publicKey,
      ttlSeconds: args.ttlSeconds('ttl'),
      principals: [],
      purpose: PURPOSE_SIGN,
      subject: env.WARDEN_POLICY_SUBJECT ?? '',
      // Read anew each time: tokens end before agents do.
      idToken: readIdToken(this.#invocation),
      reason: args.string('reason') ?? '',
      ticket: args.string('ticket') ?? '',
      smokeId: '',
    };
  }

  #with<T>(use: (channel: Channel) => Promise<T>): Promise<T> {
    return withDaemon(this.#invocation, use);
  }
}
