import { v7 } from 'uuid';
import { publicRandom } from './public-random.ts';

/** A UUIDv7: sortable by time, unique without coordination. Stands in the key id, the ledger and every error. */
export type RequestId = string & { readonly __brand: 'RequestId' };

export function newRequestId(): RequestId {
  return v7({ random: publicRandom(16) }) as RequestId;
}
