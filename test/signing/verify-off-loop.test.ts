import { sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { verifyOffLoop } from '../../src/signing/verify-off-loop.ts';
import { KEY_KINDS } from '../../src/ssh/generate-key.ts';
import {
  encodeSignature,
  hashOf,
  rawSignatureFromNode,
  signatureAlgorithmOf,
  verifySignature,
} from '../../src/ssh/signature.ts';
import { keyOf } from './support/subjects.ts';

// Another size of rsa takes the same path.
const KINDS = KEY_KINDS.filter((kind) => kind !== 'rsa-4096');
const MESSAGE = Buffer.from('what was signed');

describe('verifying on the thread pool', () => {
  test.each(KINDS.map((kind) => [kind] as const))(
    'answers for %s as verifying on the loop does: yes for a good signature, and alike for any damage',
    async (kind) => {
      const { publicKey, keyObject } = await keyOf(kind);
      const algorithm = signatureAlgorithmOf(publicKey);
      const made = sign(hashOf(algorithm), MESSAGE, { key: keyObject, dsaEncoding: 'ieee-p1363' });
      const good = encodeSignature(algorithm, rawSignatureFromNode(algorithm, made));
      expect(await verifyOffLoop(publicKey, MESSAGE, good)).toBe(true);
      expect(await verifyOffLoop(publicKey, Buffer.from('another message'), good)).toBe(false);
      const other = await keyOf(kind === 'ed25519' ? 'ecdsa-p256' : 'ed25519');
      expect(await verifyOffLoop(other.publicKey, MESSAGE, good)).toBe(false);
      await fc.assert(
        fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 0, max: 9 }), async (at, how) => {
          let bad = Buffer.from(good);
          if (how === 8) bad = bad.subarray(0, at);
          else if (how === 9) bad = Buffer.concat([bad, Buffer.of(0)]);
          else bad.writeUInt8((bad[at] ?? 0) ^ (1 << how), at);
          const answer = await verifyOffLoop(publicKey, MESSAGE, bad);
          expect(answer).toBe(false);
          expect(verifySignature(publicKey, MESSAGE, bad)).toBe(answer);
        }),
        { numRuns: 150 },
      );
    },
  );
});
