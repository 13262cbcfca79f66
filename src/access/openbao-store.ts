import * as z from 'zod';
import { WardenError } from '../kernel/errors.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import { Secret } from '../kernel/secret.ts';
import { Accessors } from '../openbao/accessors.ts';
import type { OpenBaoAnswer } from '../openbao/answer.ts';
import type { OpenBaoClient, OpenBaoRequest } from '../openbao/client.ts';
import { OpenBaoFault } from '../openbao/fault.ts';
import { faultOfHealth } from '../openbao/health.ts';
import { lookUp } from '../openbao/login.ts';
import { apiPath } from '../openbao/path.ts';
import { callAsDaemon } from '../openbao/session.ts';
import { MEND_LOGIN, refusedLogin, type TokenSource } from '../openbao/token-source.ts';
import { errorOfOwner } from './owner-refusal.ts';
import { storePath } from './route.ts';
import type { Authority, ReadRequest, ReadSecret, SecretStore } from './secret-store.ts';

export interface OpenBaoStoreOptions {
  readonly client: OpenBaoClient;
  /** Null: `openbao.login` names none. */
  readonly tokens: TokenSource | null;
  /** Null: nobody said, and it is not guessed. */
  readonly tier: EnvPosture | null;
}

/** Of the KV v2 engine. `data` is null where the version is deleted; that comes as a fault before this is read. */
const KvData = z.object({
  data: z.record(z.string(), z.unknown()),
  metadata: z.object({ version: z.number().int().nonnegative() }),
});
const LeasedData = z.record(z.string(), z.unknown());

const REVOKE_MS = 2_000;

type Answer = OpenBaoAnswer & { readonly tokenAccessor: string };

/** Secrets of the real OpenBao, over its HTTP API. */
export function createOpenBaoStore({ client, tokens, tier }: OpenBaoStoreOptions): SecretStore {
  const accessors = new Accessors();

  async function call(authority: Authority, request: Omit<OpenBaoRequest, 'token'>): Promise<Answer> {
    if (authority.as === 'daemon') {
      if (tokens !== null) return callAsDaemon({ client, tokens }, request);
      throw new WardenError('owner_refused', 'the daemon has no login of its own at OpenBao', {
        hint: 'set openbao.login in warden.yaml, or make the route as: caller',
      });
    }
    const { token } = authority;
    // Side by side: the record wants the accessor, and the caller should not wait for it twice.
    const [answer, accessor] = await Promise.all([client.call({ ...request, token }), accessorOf(token, request)]);
    return { ...answer, tokenAccessor: accessor };
  }

  /** "" where the token may not look itself up: a policy without `default` is no reason to refuse the secret. */
  async function accessorOf(
    token: Secret,
    { signal, correlation }: Pick<OpenBaoRequest, 'signal' | 'correlation'>,
  ): Promise<string> {
    const ask = async (): Promise<string> => (await lookUp(token, client, signal, correlation)).accessor;
    return accessors.of(token, ask).catch(() => '');
  }

  return {
    double: false,
    tier,
    async ready(signal) {
      try {
        const fault = faultOfHealth(await client.health(signal));
        if (fault !== null) throw fault;
        await tokens?.current();
      } catch (error) {
        const login = tokens?.status();
        if (login?.state === 'refused') {
          throw new WardenError('owner_refused', refusedLogin(login), { hint: MEND_LOGIN, cause: error });
        }
        throw errorOfOwner(error, { path: 'auth', as: 'daemon' });
      }
    },
    async read({ lane, location, fields, authority, correlation, signal }) {
      const path = storePath(lane, location);
      const leased = lane === 'openbao-dynamic';
      try {
        const answer = await call(authority, {
          method: 'GET',
          path: apiPath(path),
          once: leased,
          correlation,
          // A lease that is being made must be heard of, or nobody could give it back: no hanging up for a caller that
          // has gone. The client's own deadline ends it.
          ...(leased ? {} : { signal }),
        });
        try {
          return taken(answer, { lane, fields, path });
        } catch (error) {
          // What was leased and is of no use is not left to lapse.
          if (answer.leaseId !== '') await this.release(answer.leaseId, authority, correlation);
          throw error;
        }
      } catch (error) {
        throw errorOfOwner(error, { path, as: authority.as });
      }
    },
    async wrap(fields, seconds, { authority, correlation, signal }) {
      const path = 'sys/wrapping/wrap';
      try {
        // As text and not as secrets, whose ends a request body trims.
        const body = Object.fromEntries([...fields].map(([name, value]) => [name, value.reveal().toString('utf8')]));
        const { wrapped } = await wrapCall(authority, {
          method: 'POST',
          path,
          body,
          wrapSeconds: seconds,
          correlation,
          signal,
        });
        if (wrapped === null) throw new OpenBaoFault('answer', 'the answer holds no wrapping token');
        return { token: wrapped.token, ttlSeconds: wrapped.ttlSeconds };
      } catch (error) {
        throw errorOfOwner(wordless(error), { path, as: authority.as });
      }
    },
    async renew({ leaseId, leaseSeconds }, authority, signal) {
      const path = 'sys/leases/renew';
      try {
        const body = { lease_id: leaseId, increment: leaseSeconds };
        const answer = await wrapCall(authority, { method: 'POST', path, body, signal });
        return answer.leaseSeconds;
      } catch (error) {
        throw errorOfOwner(error, { path, as: authority.as });
      }
    },
    async release(leaseId, authority, correlation) {
      const request = {
        method: 'POST',
        path: 'sys/leases/revoke',
        body: { lease_id: leaseId },
        correlation,
        signal: AbortSignal.timeout(REVOKE_MS),
      } as const;
      await wrapCall(authority, request).catch(() => undefined);
    },
  };

  /** Without the look-up: its evidence is on record already. */
  async function wrapCall(authority: Authority, request: Omit<OpenBaoRequest, 'token'>): Promise<OpenBaoAnswer> {
    return authority.as === 'daemon' ? call(authority, request) : client.call({ ...request, token: authority.token });
  }
}

function taken(
  answer: Answer,
  { lane, fields, path }: Pick<ReadRequest, 'lane' | 'fields'> & { readonly path: string },
): ReadSecret {
  const { values, version } = lane === 'openbao-kv' ? readKv(answer) : readLeased(answer);
  return {
    fields: pick(values, fields, path),
    evidence: {
      path,
      version,
      requestId: answer.requestId,
      tokenAccessor: answer.tokenAccessor,
      leaseId: answer.leaseId,
      leaseSeconds: answer.leaseSeconds,
      populatedKeys: Object.values(values).filter((value) => value !== null && value !== '').length,
    },
  };
}

function readKv({ data }: OpenBaoAnswer): { values: Record<string, unknown>; version: number } {
  const parsed = KvData.safeParse(data);
  if (parsed.success) return { values: parsed.data.data, version: parsed.data.metadata.version };
  // Zod's issues name keys of the secret: they stay here.
  throw new OpenBaoFault('answer', 'the answer is not that of a KV engine of version 2');
}

function readLeased({ data, leaseId }: OpenBaoAnswer): { values: Record<string, unknown>; version: number } {
  const parsed = LeasedData.safeParse(data);
  if (parsed.success && leaseId !== '') return { values: parsed.data, version: 0 };
  throw new OpenBaoFault('answer', 'the answer holds no lease');
}

/** @throws WardenError secret_missing naming the first field that is not there */
function pick(values: Record<string, unknown>, fields: readonly string[], path: string): Map<string, Secret> {
  const missing = fields.find((field) => !Object.hasOwn(values, field) || values[field] === null);
  if (missing !== undefined) {
    throw new WardenError('secret_missing', `${path} has no field ${missing}`, {
      hint: 'mend fields: of the route in routes.yaml, or have the owner put the value there',
    });
  }
  return new Map(fields.map((field) => [field, toSecret(values[field])]));
}

/** Without what OpenBao said: it was sent the values, and might quote them. */
function wordless(error: unknown): unknown {
  if (!(error instanceof OpenBaoFault)) return error;
  return new OpenBaoFault(error.kind, error.message, error.status === null ? {} : { status: error.status });
}

/** A text as it is; anything else as JSON, as `bao kv get -field` prints it. */
function toSecret(value: unknown): Secret {
  return Secret.fromString(typeof value === 'string' ? value : JSON.stringify(value));
}
