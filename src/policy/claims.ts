import { errors, type JWTPayload, jwtVerify } from 'jose';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import { fileKeys, type KeySource, remoteKeys } from './jwks.ts';
import { isPrintableId } from './printable.ts';
import type { PolicySettings } from './settings.ts';

export interface VerifiedClaims {
  /** `iam:<sub>`. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface ClaimsVerifier {
  /**
   * Checks an ID token (compact JWS): signature, issuer, audience, times.
   * @throws WardenError claims_invalid, with the reason in words and nothing of the token; policy_unavailable
   *   where the issuer's keys cannot be had
   */
  verify(token: string): Promise<VerifiedClaims>;
  close(): Promise<void>;
}

const LONGEST_TOKEN = 16_384;

/** Asymmetric alone: with HS*, a public key that is known to all would sign. */
const ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** @throws WardenError config_invalid where `policy.claims` is incomplete */
export function createClaimsVerifier(
  settings: PolicySettings['claims'],
  { clock = systemClock }: { readonly clock?: Clock } = {},
): ClaimsVerifier {
  const { issuer, audience, clockSkewMs } = settings;
  if (issuer === '' || audience === '') throw incomplete('policy.claims needs issuer and audience');
  const source = keySource(settings, clock);
  return {
    async verify(token) {
      if (token.length > LONGEST_TOKEN) throw invalid('it is too long');
      if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalid('it is no compact JWS');
      try {
        const { payload, protectedHeader } = await jwtVerify(token, source.key, {
          algorithms: ALGORITHMS,
          issuer,
          audience,
          clockTolerance: clockSkewMs / 1000,
          currentDate: new Date(clock.now()),
          requiredClaims: ['sub', 'exp', 'iat'],
        });
        if (protectedHeader.typ !== undefined && !/^(application\/)?jwt$/i.test(protectedHeader.typ)) {
          throw invalid('it is a token of another type');
        }
        return check(payload, audience, clock.now() + clockSkewMs);
      } catch (error) {
        if (error instanceof WardenError) throw error;
        // No cause: what jose throws carries the claims.
        throw invalid(inWords(error));
      }
    },
    close: () => source.close(),
  };
}

/** What OpenID Connect asks for beyond the claims that jose checks. */
function check({ sub, iat, exp, aud, azp }: JWTPayload, audience: string, latest: number): VerifiedClaims {
  if (typeof sub !== 'string' || !isPrintableId(sub)) throw invalid('its subject is empty, too long or not printable');
  if (iat === undefined || iat * 1000 > latest) throw invalid('it was issued in the future');
  if (azp !== undefined ? azp !== audience : Array.isArray(aud) && aud.length > 1) {
    throw invalid('it was issued to another party');
  }
  return { subject: `iam:${sub}`, expiresAt: (exp ?? 0) * 1000 };
}

function inWords(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'it has expired';
  if (error instanceof errors.JWTClaimValidationFailed) return claimInWords(error.claim, error.reason);
  if (error instanceof errors.JOSEAlgNotAllowed) return 'its signature algorithm is not allowed';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'its signature does not hold';
  if (error instanceof errors.JWKSNoMatchingKey) return 'the issuer has no such key';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'it names no key, and several of the issuer would fit';
  if (error instanceof errors.JOSENotSupported) return 'it uses what is not supported';
  return 'it is malformed';
}

function claimInWords(claim: string, reason: string): string {
  if (reason === 'missing') return `its ${claim} claim is missing`;
  if (reason === 'invalid') return `its ${claim} claim is malformed`;
  if (claim === 'iss') return 'it is from another issuer';
  if (claim === 'aud') return 'it is for another audience';
  if (claim === 'nbf') return 'it is not valid yet';
  return `its ${claim} claim does not hold`;
}

function keySource({ jwksFile, jwksUri }: PolicySettings['claims'], clock: Clock): KeySource {
  if (jwksFile !== null && jwksUri === null) return fileKeys(jwksFile);
  if (jwksUri !== null && jwksFile === null) return remoteKeys(jwksUri, clock);
  throw incomplete('policy.claims needs one of jwks_file and jwks_uri');
}

function incomplete(message: string): WardenError {
  return new WardenError('config_invalid', message, { hint: 'see docs/config.md on policy.claims' });
}

function invalid(why: string): WardenError {
  return new WardenError('claims_invalid', `the ID token is refused: ${why}`);
}
