import { randomBytes, randomUUID } from 'node:crypto';
import { SYNTHETIC_PREFIX } from '../kernel/posture.ts';
import { Secret } from '../kernel/secret.ts';
import { storePath } from './route.ts';
import type { SecretStore } from './secret-store.ts';
import { syntheticValue } from './synthetic-value.ts';

const LEASE_SECONDS = 3600;

/**
 * The store of the dev posture: answers any name with a synthetic value, opens no connection, needs no token. A
 * lease gives new values each time, as a real one does; what is at a path stays the same within one run.
 */
export function createSyntheticStore(seed: string): SecretStore {
  return {
    double: true,
    tier: 'dev',
    async ready() {},
    async read({ lane, location, fields }) {
      const path = storePath(lane, location);
      const leased = lane === 'openbao-dynamic';
      const run = leased ? randomBytes(16).toString('hex') : seed;
      return {
        fields: new Map(fields.map((field) => [field, Secret.fromString(syntheticValue(run, path, field))])),
        evidence: {
          path,
          version: leased ? 0 : 1,
          requestId: `${SYNTHETIC_PREFIX}${randomUUID()}`,
          tokenAccessor: `${SYNTHETIC_PREFIX}accessor`,
          leaseId: leased ? `${path}/${SYNTHETIC_PREFIX}${randomBytes(12).toString('hex')}` : '',
          leaseSeconds: leased ? LEASE_SECONDS : 0,
          populatedKeys: location.fields.length,
        },
      };
    },
    async wrap(_fields, seconds) {
      return {
        token: Secret.fromString(`${SYNTHETIC_PREFIX}wrap-${randomBytes(12).toString('hex')}`),
        ttlSeconds: seconds,
      };
    },
    async renew({ leaseSeconds }) {
      return leaseSeconds;
    },
    async release() {},
  };
}
