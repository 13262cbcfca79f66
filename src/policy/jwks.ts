import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import type { Agent } from 'undici';
import * as z from 'zod';
import { CheckedFile } from '../http/checked-file.ts';
import { withDeadline } from '../http/deadline.ts';
import type { Clock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import { cancelled } from './cancelled.ts';
import { decisionPoint } from './decision-point.ts';

/** The keys of a token issuer. A failure to have them is `policy_unavailable`: the token is not to blame. */
export interface KeySource {
  readonly key: JWTVerifyGetKey;
  close(): Promise<void>;
}

const MAX_BYTES = 262_144;
const MAX_KEYS = 100;
const FETCH_TIMEOUT_MS = 5_000;
/** Keys older than this are fetched again before they are used. */
const MAX_AGE_MS = 600_000;
/** A key that is not there, or a failed fetch, leads to no further fetch for so long. */
const COOLDOWN_MS = 30_000;
const FAILURE_COOLDOWN_MS = 2_000;

const KeySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })).max(MAX_KEYS) });

/** Keys from `policy.claims.jwks_file`, read again when the file changes. */
export function fileKeys(path: string): KeySource {
  const file = new CheckedFile({
    party: decisionPoint,
    path,
    setting: 'policy.claims.jwks_file',
    maxBytes: MAX_BYTES,
    confidential: false,
  });
  let parsed: { from: object; keys: JWTVerifyGetKey } | null = null;
  return {
    async key(header, token) {
      const content = await file.read().catch((cause: unknown) => {
        throw unavailable('the keys of the token issuer cannot be read', cause);
      });
      if (parsed?.from !== content) parsed = { from: content, keys: keySet(content) };
      return parsed.keys(header, token);
    },
    close: async () => {},
  };
}

/** Keys from `policy.claims.jwks_uri`: https, or http on this machine. @throws WardenError config_invalid */
export function remoteKeys(uri: string, clock: Pick<Clock, 'monotonic'>): KeySource {
  const url = checkUri(uri);
  const open = async (): Promise<Agent> => {
    const { Agent } = await import('undici');
    return new Agent({ connections: 1, pipelining: 1, connect: { timeout: FETCH_TIMEOUT_MS } });
  };
  let agent: Promise<Agent> | null = null;
  let current: { keys: JWTVerifyGetKey; fetchedAt: number } | null = null;
  let failedAt: number | null = null;
  let pending: Promise<JWTVerifyGetKey> | null = null;

  /** Everybody who needs the keys at once waits for one fetch. */
  function refresh(): Promise<JWTVerifyGetKey> {
    if (failedAt !== null && clock.monotonic() - failedAt < FAILURE_COOLDOWN_MS) {
      return Promise.reject(unavailable('the keys of the token issuer could not be fetched a moment ago'));
    }
    agent ??= open();
    pending ??= fetchKeys(agent, url)
      .then(
        (keys) => {
          current = { keys, fetchedAt: clock.monotonic() };
          failedAt = null;
          return keys;
        },
        (error: unknown) => {
          failedAt = clock.monotonic();
          throw error;
        },
      )
      .finally(() => {
        pending = null;
      });
    return pending;
  }

  return {
    async key(header, token) {
      const before = current;
      const age = before === null ? Number.POSITIVE_INFINITY : clock.monotonic() - before.fetchedAt;
      const keys = before !== null && age < MAX_AGE_MS ? before.keys : await refresh();
      try {
        return await keys(header, token);
      } catch (error) {
        // The issuer may have a new key: look again, but not for every stranger's token.
        if (!(error instanceof errors.JWKSNoMatchingKey) || age < COOLDOWN_MS || keys !== before?.keys) throw error;
        return (await refresh())(header, token);
      }
    },
    close: async () => (await agent)?.close(),
  };
}

async function fetchKeys(agent: Promise<Agent>, url: URL): Promise<JWTVerifyGetKey> {
  const late = (): Error => unavailable('the keys of the token issuer did not come in time');
  try {
    return await withDeadline(FETCH_TIMEOUT_MS, undefined, { late, gone: cancelled }, async (signal) => {
      const { statusCode, body } = await (await agent).request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: 'GET',
        headers: { accept: 'application/jwk-set+json, application/json', 'user-agent': 'wardend' },
        signal,
      });
      body.on('error', () => {});
      if (statusCode !== 200) {
        body.destroy();
        throw unavailable(`the token issuer answered HTTP ${statusCode} where its keys should be`);
      }
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > MAX_BYTES) throw unavailable('the key set of the token issuer is too large');
        chunks.push(chunk);
      }
      return keySet(Buffer.concat(chunks, size));
    });
  } catch (cause) {
    if (cause instanceof WardenError) throw cause;
    throw unavailable('the keys of the token issuer cannot be fetched', cause);
  }
}

function keySet(bytes: Buffer): JWTVerifyGetKey {
  try {
    return createLocalJWKSet(KeySet.parse(JSON.parse(bytes.toString('utf8'))));
  } catch (cause) {
    throw unavailable('the key set of the token issuer is malformed', cause);
  }
}

function checkUri(uri: string): URL {
  const url = URL.canParse(uri) ? new URL(uri) : null;
  const local = url !== null && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && local)) || url.username !== '') {
    throw new WardenError('config_invalid', 'policy.claims.jwks_uri is no https address', {
      hint: 'whoever can change the keys on their way can be anybody: use https, or jwks_file',
    });
  }
  return url;
}

function unavailable(message: string, cause?: unknown): WardenError {
  return new WardenError('policy_unavailable', message, {
    hint: 'see policy.claims.jwks_uri and jwks_file in warden.yaml, and whether the token issuer answers',
    ...(cause === undefined ? {} : { cause }),
  });
}
