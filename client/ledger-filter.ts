import { parseDuration } from '../src/kernel/duration.ts';
import { LEDGER_KINDS } from '../src/ledger/record.ts';
import type { QueryLedgerRequest } from '../src/rpc/generated/warden/v1/warden.ts';
import { type Args, quoted, usageError } from './args.ts';

const MAX_LIMIT = 10_000;

/** The filter options as the daemon takes them. `now` in milliseconds. @throws WardenError invalid_request */
export function readFilter(args: Args, now: number): QueryLedgerRequest {
  const outcome = args.string('outcome') ?? '';
  if (!['', 'ok', 'refused', 'failed'].includes(outcome)) {
    throw usageError(`--outcome ${quoted(outcome)} is none`, 'one of ok, refused, failed');
  }
  const kind = args.string('kind') ?? '';
  if (kind !== '' && !LEDGER_KINDS.some((known) => known === kind)) {
    throw usageError(`--kind ${quoted(kind)} is none`, `one of ${LEDGER_KINDS.join(', ')}`);
  }
  const serial = args.string('serial') ?? '';
  if (!/^\d{0,20}$/.test(serial)) throw usageError(`--serial ${quoted(serial)} is no decimal number`);
  return {
    limit: args.command.options.limit === undefined ? MAX_LIMIT : (args.integer('limit', 1, MAX_LIMIT) ?? 100),
    actor: args.string('actor') ?? '',
    kind,
    outcome,
    since: readTime(args, 'since', now),
    until: readTime(args, 'until', now),
    serial,
    requestId: args.string('request') ?? '',
    reason: args.string('reason') ?? '',
    follow: false,
  };
}

/** A moment, or how long ago. */
export function readTime(args: Args, name: string, now: number): Date | undefined {
  const text = args.string(name);
  if (text === undefined) return undefined;
  const ago = parseDuration(text);
  if (ago !== null) return new Date(now - ago);
  const rfc3339 = /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d))?$/.test(text);
  const moment = rfc3339 ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(moment)) {
    throw usageError(`--${name} ${quoted(text)} is no time`, 'write 2h, 7d or 2026-06-24T10:00:00Z');
  }
  return new Date(moment);
}
