import { WardenError } from '../../kernel/errors.ts';
import type { Headers } from './trailers.ts';

/** What ts-proto generates for one method; `requestType` and `responseType` are its message codecs. */
export interface Method<Request, Response> {
  readonly name: string;
  readonly requestType: { encode(message: Request): { finish(): Uint8Array } };
  readonly responseType: { decode(bytes: Uint8Array): Response };
}

export interface CallOptions {
  /** Milliseconds for the whole call; null only for streams that go on. Default 30 s. */
  readonly deadlineMs?: number | null;
  /** Of one answer. Default 4 MiB, as gRPC's own. */
  readonly maxMessageBytes?: number;
}

export const DEFAULT_DEADLINE_MS = 30_000;
export const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/**
 * A daemon sends its settings at once, unless it is being replaced behind a socket that systemd holds: the old one has
 * ten seconds to end what runs, and the new one has to start. Whatever takes longer is stuck, or is no daemon.
 */
export const HANDSHAKE_MS = 15_000;

export function callHeaders(
  path: string,
  deadlineMs: number | null,
  /** Beside those that every call has. */
  more: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    ':method': 'POST',
    ':scheme': 'http',
    ':authority': 'localhost',
    ':path': path,
    'content-type': 'application/grpc+proto',
    te: 'trailers',
    // Behind those with a colon, which must come first.
    ...more,
    ...(deadlineMs !== null && { 'grpc-timeout': grpcTimeout(deadlineMs) }),
  };
}

/** At most eight digits and a unit, as the protocol has it. */
export function grpcTimeout(milliseconds: number): string {
  const whole = Math.max(1, Math.ceil(milliseconds));
  return whole < 1e8 ? `${whole}m` : `${Math.min(99_999_999, Math.ceil(whole / 1000))}S`;
}

export function isGrpc(headers: Headers): boolean {
  const type = headers['content-type'];
  return Number(headers[':status']) === 200 && typeof type === 'string' && type.startsWith('application/grpc');
}

/** Returns where the trailers say that all went well. @throws RpcError what else they say; WardenError where they say nothing */
export async function checkStatus(trailers: Headers): Promise<void> {
  const text = trailers['grpc-status'];
  const status = typeof text === 'string' && /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  if (!(status <= 16)) throw brokenAnswer('no status');
  if (status === 0) return;
  // Only a failed call pays for reading google.rpc.Status.
  const { errorOf } = await import('./trailers.ts');
  throw errorOf(status, trailers);
}

export function decode<Res>(method: Method<never, Res>, message: Buffer): Res {
  try {
    return method.responseType.decode(message);
  } catch (cause) {
    throw new WardenError('internal', 'the answer of the daemon cannot be read', {
      cause,
      hint: 'make daemon and client the same version',
    });
  }
}

export function tooLate(deadlineMs: number): WardenError {
  return new WardenError('deadline_exceeded', `no answer within ${deadlineMs / 1000} s`);
}

export function brokenAnswer(what: string): WardenError {
  return new WardenError('internal', `the answer of the daemon breaks the gRPC protocol: ${what}`, {
    hint: 'make daemon and client the same version',
  });
}

/** `what` is the rest of the sentence. */
export function unreachable(path: string, what: string): WardenError {
  return new WardenError('daemon_unreachable', `what listens at ${path} ${what}`, {
    hint: 'see the log of the daemon, and whether the socket is its own',
  });
}
