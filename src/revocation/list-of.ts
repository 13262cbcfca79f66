import { formatRevocationList } from '../ssh/krl.ts';
import type { RestraintState } from './restraints.ts';

export interface ListFacts {
  readonly number: bigint;
  /** Milliseconds since the epoch. */
  readonly generatedAt: number;
  /** Wire encodings of every authority key that hosts may trust. */
  readonly authorities: readonly Buffer[];
}

/** The state as a key revocation list. Serials and key ids are revoked of each authority by name. */
export function revocationListOf(state: RestraintState, { number, generatedAt, authorities }: ListFacts): Buffer {
  const serials = [...state.serials.keys()].map((serial) => ({ low: serial, high: serial }));
  const keyIds = [...state.keyIds.keys()];
  return formatRevocationList({
    number,
    generatedAt: BigInt(Math.floor(generatedAt / 1000)),
    comment: 'wardend',
    certificates: authorities.map((authority) => ({ authority, serials, keyIds })),
    keySha256: [...state.keys].map(digestOf),
  });
}

/** The bytes that `SHA256:…` stands for. */
function digestOf(fingerprint: string): Buffer {
  return Buffer.from(fingerprint.slice('SHA256:'.length), 'base64');
}
