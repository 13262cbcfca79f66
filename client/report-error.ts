import { formatSeconds } from '../src/kernel/duration.ts';
import type { WardenError } from '../src/kernel/errors.ts';
import type { ErrorKind } from '../src/kernel/reason.ts';
import type { RpcError } from '../src/rpc/client/rpc-error.ts';
import type { Output } from './output.ts';

const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
  refused: 1,
  usage: 2,
  unreachable: 3,
  unavailable: 4,
  internal: 5,
};

/** An error as it is shown, whichever side it came from. */
export interface ShownError {
  readonly kind: ErrorKind;
  readonly reason: string;
  readonly message: string;
  readonly hint: string;
  readonly decisionId: string | undefined;
  readonly ledgerSeq: string | undefined;
  readonly requestId: string | undefined;
}

/** Unknown failures show nothing of theirs but the name of their class and, with WARDEN_DEBUG, the stack. */
export function toShown(thrown: unknown): ShownError {
  if (isA<RpcError>(thrown, 'RpcError')) {
    const { details } = thrown;
    const wait = details.retryAfterMs === undefined ? '' : `wait ${seconds(details.retryAfterMs)}, then ask again; `;
    return {
      kind: thrown.kind,
      reason: thrown.reason,
      message: thrown.message,
      hint: `${wait}${thrown.hint}`,
      decisionId: details.decisionId,
      ledgerSeq: details.ledgerSeq,
      requestId: details.requestId,
    };
  }
  if (isA<WardenError>(thrown, 'WardenError')) {
    const { decisionId, ledgerSeq, requestId } = thrown.details;
    return {
      kind: thrown.kind,
      reason: thrown.code,
      message: thrown.message,
      hint: thrown.hint,
      decisionId,
      ledgerSeq: ledgerSeq === undefined ? undefined : String(ledgerSeq),
      requestId,
    };
  }
  const { code } = (thrown ?? {}) as { code?: unknown };
  const what = typeof code === 'string' ? code : thrown instanceof Error ? thrown.name : typeof thrown;
  return {
    kind: 'internal',
    reason: 'internal',
    message: `warden itself failed (${what})`,
    hint: 'run it again with WARDEN_DEBUG=1 and report what it prints',
    decisionId: undefined,
    ledgerSeq: undefined,
    requestId: undefined,
  };
}

/** By name: each of the two bundles has a class of its own. */
function isA<T extends Error>(thrown: unknown, name: T['name']): thrown is T {
  return thrown instanceof Error && thrown.name === name;
}

function seconds(ms: number): string {
  if (ms >= 120_000) return formatSeconds(Math.ceil(ms / 60_000) * 60);
  return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`;
}

/** Prints the error as docs/cli.md says, and gives the exit code. */
export function reportError(thrown: unknown, out: Output): number {
  const shown = toShown(thrown);
  if (out.json) out.object({ error: toJsonError(shown) });
  else printError(shown, out);
  return EXIT_CODES[shown.kind];
}

/** The error object of --json; what is unknown is left out. */
export function toJsonError(shown: ShownError): Record<string, unknown> {
  return {
    kind: shown.kind,
    reason: shown.reason,
    message: shown.message,
    hint: shown.hint,
    decision_id: shown.decisionId,
    ledger_seq: shown.ledgerSeq === undefined ? undefined : Number(shown.ledgerSeq),
    request_id: shown.requestId,
  };
}

function printError(shown: ShownError, out: Output): void {
  const facts = [
    shown.reason,
    shown.decisionId && `decision ${shown.decisionId}`,
    shown.ledgerSeq && `ledger ${shown.ledgerSeq}`,
    shown.requestId && `request ${shown.requestId}`,
  ].filter(Boolean);
  out.error({ text: 'warden:', style: 'bold' }, ' ', { text: `${shown.kind}:`, style: 'red' }, ` ${shown.message}`);
  out.error(`  why: ${facts.join(' · ')}`);
  if (shown.hint !== '') out.error(`  do: ${shown.hint}`);
}
