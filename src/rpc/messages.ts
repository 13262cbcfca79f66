import { isUtf8 } from 'node:buffer';
import * as z from 'zod';
import type { Variable } from '../access/command-environment.ts';
import type { Terminal } from '../access/command-runner.ts';
import { WardenError } from '../kernel/errors.ts';
import { Secret } from '../kernel/secret.ts';
import type { ExecInput } from '../operations/decide-exec.ts';
import type { FetchInput } from '../operations/decide-fetch.ts';
import type { SignInput } from '../operations/decide-sign.ts';
import type { LockdownInput } from '../operations/lockdown.ts';
import type { RevokeInput } from '../operations/revoke.ts';
import type { SignHostInput } from '../operations/sign-host.ts';
import {
  type ExecStart,
  type FetchRequest,
  type LockdownRequest,
  Purpose,
  type QueryLedgerRequest,
  type RevokeRequest,
  type SignRequest,
} from './generated/warden/v1/warden.ts';

/** A century in seconds: beyond it dates overflow, and nobody means it. `--ttl 999` (hours) is far below, and goes to the gate. */
const MAX_TTL_SECONDS = 100n * 366n * 86_400n;

/** What fits on a screen and in a record, without what would break either. */
const line = (max: number, what: string) =>
  z
    .string()
    .max(max, `${what} is longer than ${max} characters`)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point
    .regex(/^[^\u0000-\u001f\u007f-\u009f]*$/, `${what} has control characters`);

const signRequest = z.object({
  actor: line(128, 'actor').min(1, 'actor is empty'),
  publicKey: z.string().max(16_384, 'public_key is longer than 16384 characters'),
  ttlSeconds: z.bigint().max(MAX_TTL_SECONDS, 'ttl_seconds is above 100 years'),
  principals: z.array(line(256, 'a principal').min(1, 'a principal is empty')).max(256, 'more than 256 principals'),
  purpose: z.union(
    [Purpose.UNSPECIFIED, Purpose.SIGN, Purpose.ISSUE, Purpose.HOST].map((purpose) => z.literal(purpose)),
    {
      error: 'unknown purpose',
    },
  ),
  subject: line(256, 'subject'),
  idToken: z.string().max(16_384, 'id_token is longer than 16384 characters'),
  reason: line(512, 'reason'),
  ticket: line(128, 'ticket'),
  smokeId: line(64, 'smoke_id'),
});

/** @throws WardenError invalid_request */
export function parseSignRequest(message: SignRequest): SignInput {
  const { ttlSeconds, purpose, ...rest } = checked(signRequest, message);
  return { ...rest, ttlSeconds: Number(ttlSeconds), purpose: purpose === Purpose.ISSUE ? 'issue' : 'sign' };
}

/** The same message, for a host. @throws WardenError invalid_request */
export function parseSignHostRequest(message: SignRequest): SignHostInput {
  const { actor: host, publicKey, ttlSeconds, principals, reason, ticket } = checked(signRequest, message);
  return { host, publicKey, ttlSeconds: Number(ttlSeconds), principals, reason, ticket };
}

/** A day: a wrapping token that nobody opened by then is forgotten. */
const MAX_WRAP_SECONDS = 86_400n;

/** At most 4096 bytes of visible ASCII: nothing in it can begin a header of its own. */
const openbaoToken = z
  .instanceof(Uint8Array)
  .refine((token) => token.length <= 4096, 'openbao_token is longer than 4096 bytes')
  .refine((token) => token.every((byte) => byte > 0x20 && byte < 0x7f), 'openbao_token is no token');

const fetchRequest = z.object({
  route: line(128, 'route').min(1, 'route is empty'),
  actor: line(128, 'actor'),
  fields: z.array(line(128, 'a field').min(1, 'a field is empty')).max(64, 'more than 64 fields'),
  single: z.boolean(),
  wrapTtlSeconds: z.bigint().max(MAX_WRAP_SECONDS, 'wrap_ttl_seconds is above a day'),
  openbaoToken,
  subject: line(256, 'subject'),
  idToken: z.string().max(16_384, 'id_token is longer than 16384 characters'),
  reason: line(512, 'reason'),
  ticket: line(128, 'ticket'),
});

/** Takes the bytes of the token over. @throws WardenError invalid_request */
export function parseFetchRequest(message: FetchRequest): FetchInput {
  const { wrapTtlSeconds, openbaoToken: bytes, ...rest } = checked(fetchRequest, message);
  const token = bytes.length === 0 ? null : new Secret(asBuffer(bytes));
  return { ...rest, wrapSeconds: Number(wrapTtlSeconds), token };
}

const side = z.number().int().min(1, 'a terminal has columns and rows').max(65_535, 'a terminal is smaller than that');
const terminal = z.object({ columns: side, rows: side });

/** @throws WardenError invalid_request */
export function parseTerminal(message: z.input<typeof terminal>): Terminal {
  return checked(terminal, message);
}

const noNul = (text: string): boolean => !text.includes('\0');
const variables = z.array(
  z
    .object({ name: z.instanceof(Uint8Array), value: z.instanceof(Uint8Array) })
    .refine(({ name }) => name.length > 0 && !name.includes(0x3d) && !name.includes(0), 'a variable has no name')
    .refine(({ name }) => isUtf8(name), "a variable's name is no text")
    .refine(({ value }) => !value.includes(0), "a variable's value has a NUL in it")
    // What is not text is carried as bytes.
    .transform(({ name, value }): Variable => {
      const bytes = asBuffer(value);
      return [asBuffer(name).toString('utf8'), isUtf8(bytes) ? bytes.toString('utf8') : new Secret(bytes)];
    }),
);
const routeId = line(128, 'a route').min(1, 'a route is empty');

const execStart = z.object({
  routes: z.array(routeId).max(16, 'more than 16 routes'),
  references: z
    .array(
      z.object({
        variable: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'a reference has no name of a variable'),
        route: routeId,
        field: line(128, 'a field'),
      }),
    )
    .max(256, 'more than 256 references'),
  actor: line(128, 'actor'),
  argv: z
    .array(z.string().refine(noNul, 'an argument has a NUL in it'))
    .refine(([command]) => command !== undefined && command !== '', 'there is no command'),
  environment: variables,
  additions: variables,
  pristine: z.boolean(),
  noMask: z.boolean(),
  noNetwork: z.boolean(),
  terminal: terminal.optional().transform((size) => size ?? null),
  jobControl: z.boolean(),
  stdin: z.boolean(),
  openbaoToken,
  subject: line(256, 'subject'),
  idToken: z.string().max(16_384, 'id_token is longer than 16384 characters'),
  reason: line(512, 'reason'),
  ticket: line(128, 'ticket'),
});

/** Takes the bytes of the token over. @throws WardenError invalid_request */
export function parseExecStart(message: ExecStart): ExecInput {
  const { openbaoToken: bytes, ...rest } = checked(execStart, message);
  return { ...rest, token: bytes.length === 0 ? null : new Secret(asBuffer(bytes)) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The one name of a list request. @throws WardenError invalid_request */
export function parseActorName(name: string): string {
  return checked(line(128, 'actor'), name);
}

const queryRequest = z.object({
  limit: z.number().int().min(0).max(10_000, 'limit is above 10000'),
  actor: line(128, 'actor'),
  kind: line(32, 'kind'),
  outcome: z.enum(['', 'ok', 'refused', 'failed'], { error: 'outcome is none of ok, refused, failed' }),
  since: z.date().optional(),
  until: z.date().optional(),
  serial: z.string().regex(/^\d{0,20}$/, 'serial is not a decimal number'),
  requestId: line(64, 'request_id'),
  reason: line(64, 'reason'),
  follow: z.boolean(),
});

export type LedgerQuery = z.infer<typeof queryRequest>;

/** @throws WardenError invalid_request */
export function parseQueryRequest(message: QueryLedgerRequest): LedgerQuery {
  return checked(queryRequest, message);
}

const breakGlassRequest = z.object({
  reason: line(512, 'reason').min(1, 'reason is empty'),
  ticket: line(128, 'ticket'),
  durationSeconds: z.bigint().max(86_400n * 7n, 'duration is above seven days'),
  tty: line(256, 'tty'),
});

/** @throws WardenError invalid_request */
export function parseBreakGlassRequest(message: z.input<typeof breakGlassRequest>) {
  return checked(breakGlassRequest, message);
}

const revokeRequest = z.object({
  serials: z.array(z.bigint()).max(1000, 'more than 1000 serials'),
  keyIds: z.array(line(255, 'a key id').min(1, 'a key id is empty')).max(1000, 'more than 1000 key ids'),
  fingerprints: z
    .array(z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/, 'a fingerprint is not SHA256: and 43 characters'))
    .max(1000, 'more than 1000 fingerprints'),
  actor: line(128, 'actor'),
  since: z.date().optional(),
  reason: line(512, 'reason'),
  ticket: line(128, 'ticket'),
  dryRun: z.boolean(),
  lift: z.boolean(),
});

/** @throws WardenError invalid_request */
export function parseRevokeRequest(message: RevokeRequest): RevokeInput {
  const { since, ...rest } = checked(revokeRequest, message);
  return { ...rest, since: since?.getTime() ?? null };
}

const lockdownRequest = z.object({ reason: line(512, 'reason'), ticket: line(128, 'ticket'), lift: z.boolean() });

/** @throws WardenError invalid_request */
export function parseLockdownRequest(message: LockdownRequest): LockdownInput {
  return checked(lockdownRequest, message);
}

function checked<T extends z.ZodType>(schema: T, message: unknown): z.infer<T> {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  throw new WardenError('invalid_request', result.error.issues[0]?.message ?? 'the request does not parse');
}
