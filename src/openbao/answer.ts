import * as z from 'zod';
import { Secret } from '../kernel/secret.ts';
import { OpenBaoFault } from './fault.ts';

/** Accessors go into the ledger: a hostile store must not fill the disk with one. */
export const MAX_ACCESSOR = 256;

const Auth = z.object({
  client_token: z.string().min(1),
  accessor: z.string().max(MAX_ACCESSOR),
  lease_duration: z.number().int().nonnegative(),
  renewable: z.boolean(),
  policies: z.array(z.string()).nullish(),
});

const Wrap = z.object({
  token: z.string().min(1),
  accessor: z.string().max(MAX_ACCESSOR),
  ttl: z.number().int().nonnegative(),
  creation_path: z.string(),
});

const Envelope = z.object({
  request_id: z.string().max(128),
  lease_id: z.string().max(1024),
  renewable: z.boolean(),
  lease_duration: z.number().int().nonnegative(),
  data: z.unknown(),
  wrap_info: Wrap.nullish(),
  warnings: z.array(z.string()).nullish(),
  auth: Auth.nullish(),
});

/** What a login or a renewal gives. */
export interface TokenGrant {
  readonly token: Secret;
  readonly accessor: string;
  /** Seconds; 0 is without end. */
  readonly ttlSeconds: number;
  readonly renewable: boolean;
  readonly policies: readonly string[];
}

export interface WrappedAnswer {
  readonly token: Secret;
  readonly accessor: string;
  readonly ttlSeconds: number;
  readonly creationPath: string;
}

/** An answer of OpenBao. `data` is of any shape, and may hold secret values. */
export interface OpenBaoAnswer {
  /** "" where OpenBao gave none (204, wrapped). */
  readonly requestId: string;
  readonly data: unknown;
  readonly leaseId: string;
  readonly leaseSeconds: number;
  readonly renewable: boolean;
  readonly warnings: readonly string[];
  readonly grant: TokenGrant | null;
  readonly wrapped: WrappedAnswer | null;
}

export const EMPTY_ANSWER: OpenBaoAnswer = {
  requestId: '',
  data: null,
  leaseId: '',
  leaseSeconds: 0,
  renewable: false,
  warnings: [],
  grant: null,
  wrapped: null,
};

/** @throws OpenBaoFault answer, which quotes nothing of the body */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's message quotes the text.
    throw new OpenBaoFault('answer', 'the answer is not JSON');
  }
}

/** @throws OpenBaoFault answer */
export function readEnvelope(json: unknown): OpenBaoAnswer {
  const parsed = Envelope.safeParse(json);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || 'the whole';
    throw new OpenBaoFault('answer', `the answer breaks the contract of OpenBao (${field})`);
  }
  const { auth, wrap_info: wrap, warnings, ...rest } = parsed.data;
  return {
    requestId: printable(rest.request_id),
    data: rest.data ?? null,
    leaseId: printable(rest.lease_id),
    leaseSeconds: rest.lease_duration,
    renewable: rest.renewable,
    warnings: warnings ?? [],
    grant: auth == null ? null : grantOf(auth),
    wrapped:
      wrap == null
        ? null
        : {
            token: Secret.fromString(wrap.token),
            accessor: printable(wrap.accessor),
            ttlSeconds: wrap.ttl,
            creationPath: wrap.creation_path,
          },
  };
}

function grantOf(auth: z.output<typeof Auth>): TokenGrant {
  return {
    token: Secret.fromString(auth.client_token),
    accessor: printable(auth.accessor),
    ttlSeconds: auth.lease_duration,
    renewable: auth.renewable,
    policies: auth.policies ?? [],
  };
}

/** Ids go into the ledger: visible ASCII and nothing else. */
function printable(id: string): string {
  if (/^[\x21-\x7e]*$/.test(id)) return id;
  throw new OpenBaoFault('answer', 'an id in the answer is not printable');
}

/** The `errors` of an error body; null where the body is no such thing. */
export function readErrors(json: unknown): string[] | null {
  const errors = (json as { errors?: unknown } | null)?.errors;
  if (!Array.isArray(errors)) return null;
  return errors.filter((error): error is string => typeof error === 'string').slice(0, 16);
}
