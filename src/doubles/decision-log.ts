import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { WardenError } from '../kernel/errors.ts';
import type { Verdict } from '../policy/cedar-evaluator.ts';
import type { CheckRequest } from '../policy/policy-question.ts';

/** One decision as a line of JSON, keys in this order; absent ones are left out. */
export interface DecisionLogEntry {
  /** RFC 3339 UTC, milliseconds. */
  readonly time: string;
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly reason: string;
  readonly request_id?: string;
  readonly subject: string;
  readonly subject_type: string;
  readonly tenant: string;
  readonly resource: string;
  readonly resource_type: string;
  readonly system: string;
  readonly action: string;
  readonly actor_type?: string;
  readonly principals?: readonly string[];
  readonly pubkey_fingerprint?: string;
  readonly ttl_hours?: number;
}

/** The record of a decision. It holds the fields that the rules see and nothing else that a client put into the context. */
export function decisionLogEntry(
  request: CheckRequest,
  verdict: Verdict,
  stamp: { readonly id: string; readonly time: Date; readonly requestId: string | null },
): DecisionLogEntry {
  const { context } = request;
  return {
    time: stamp.time.toISOString(),
    id: stamp.id,
    effect: verdict.effect,
    reason: verdict.reason,
    ...(stamp.requestId === null ? {} : { request_id: stamp.requestId }),
    subject: request.subject.id,
    subject_type: request.subject.type,
    tenant: request.tenant,
    resource: request.resource.id,
    resource_type: request.resource.type,
    system: request.resource.system,
    action: request.action,
    ...(context.actor_type === undefined ? {} : { actor_type: context.actor_type }),
    ...(context.principals === undefined ? {} : { principals: context.principals }),
    ...(context.pubkey_fingerprint === undefined ? {} : { pubkey_fingerprint: context.pubkey_fingerprint }),
    ...(context.ttl_hours === undefined ? {} : { ttl_hours: context.ttl_hours }),
  };
}

export interface DecisionLog {
  /** Resolves when the line is in the file. */
  write(entry: DecisionLogEntry): Promise<void>;
  close(): Promise<void>;
}

/**
 * Appends to `path` (made with mode 0600; a symbolic link in its place is refused), or keeps nothing where it is null.
 * @throws WardenError config_invalid
 */
export async function openDecisionLog(path: string | null): Promise<DecisionLog> {
  if (path === null) return { write: async () => {}, close: async () => {} };
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW } = constants;
  const file = await open(path, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600).catch((cause) => {
    throw new WardenError('config_invalid', 'the decision log cannot be opened', {
      cause,
      hint: 'give a --log FILE that can be written',
    });
  });
  // One write at a time keeps lines whole; what waits is bounded by the connections of the server.
  let last: Promise<unknown> = Promise.resolve();
  return {
    write(entry) {
      const written = last.then(() => file.appendFile(`${JSON.stringify(entry)}\n`));
      last = written.catch(() => {});
      return written;
    },
    async close() {
      await last;
      await file.close();
    },
  };
}
