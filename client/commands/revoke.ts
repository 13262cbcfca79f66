import { type RevokeResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { quoted, usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import { shortTime } from '../evidence.ts';
import type { Invocation } from '../invocation.ts';
import { push, pushJson, readPush, reportPush } from '../krl-push.ts';
import { readTime } from '../ledger-filter.ts';
import { columns, type Output } from '../output.ts';

/** Long enough to read a ledger of gigabytes. */
const DEADLINE_MS = 120_000;
const MAX_SHOWN = 20;

/** Takes certificates back, or the revocation. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const dryRun = args.flag('dry-run');
  const lift = args.flag('lift');
  const plan = readPush(args);
  if (plan !== null && dryRun) throw usageError('--dry-run does nothing, and so there is nothing to push');
  const actor = args.string('actor') ?? '';
  const since = readTime(args, 'since', Date.now());
  const request = {
    serials: args.strings('serial').map(readSerial),
    keyIds: [...args.strings('key-id')],
    fingerprints: [...args.strings('fingerprint')],
    actor,
    since,
    reason: args.string('reason') ?? '',
    ticket: args.string('ticket') ?? '',
    dryRun,
    lift,
  };
  const named = request.serials.length + request.keyIds.length + request.fingerprints.length > 0;
  const ways = [named, actor !== '', since !== undefined].filter(Boolean).length;
  if (ways !== 1) {
    throw usageError(
      ways === 0 ? 'nothing is named to revoke' : '--actor, --since and single certificates exclude each other',
      'give --serial N, --key-id ID or --fingerprint SHA256:…, or --actor A, or --since TIME',
    );
  }
  const { fullName, methods } = WardenDefinition;
  const answer = await withDaemon(invocation, (channel) =>
    channel.unary(fullName, methods.revoke, request, { deadlineMs: DEADLINE_MS }),
  );
  const pushed = plan === null ? null : await withDaemon(invocation, (channel) => push(channel, plan));
  if (out.json) out.object({ ...asJson(answer, dryRun, lift), hosts: pushed === null ? undefined : pushJson(pushed) });
  else if (lift) out.line(`${dryRun ? 'would be lifted' : 'lifted'}${trailer(answer)}`);
  else print(answer, { dryRun, actor, fingerprints: request.fingerprints }, out);
  return pushed === null || plan === null ? 0 : reportPush(pushed, plan, out);
}

interface Asked {
  readonly dryRun: boolean;
  readonly actor: string;
  readonly fingerprints: readonly string[];
}

function print(answer: RevokeResponse, { dryRun, actor, fingerprints }: Asked, out: Output): void {
  const { certificates, certificatesTotal: total, unknown, expired } = answer;
  const counted = total === 1n ? '1 certificate' : `${total} certificates`;
  out.line(
    dryRun ? 'would revoke ' : { text: 'revoked ', style: 'red' },
    `${counted} still valid${expired === 0n ? '' : `, ${expired} expired already`}${trailer(answer)}`,
  );
  const rows = certificates
    .slice(-MAX_SHOWN)
    .map(({ serial, keyId, actor: of, validBefore }) => [
      of,
      `serial ${serial}`,
      validBefore === undefined ? '' : `until ${shortTime(validBefore)}`,
      keyId,
    ]);
  for (const row of columns(rows)) out.note(`  ${row}`);
  if (total > BigInt(rows.length)) out.note(`  … and ${total - BigInt(rows.length)} more`);
  for (const value of unknown)
    out.line(`  ${value} is not in the ledger; ${dryRun ? 'would be revoked' : 'revoked'} without an end`);
  if (actor !== '')
    out.line(`  ${actor} ${dryRun ? 'would get' : 'gets'} nothing new until: warden revoke --lift --actor ${actor}`);
  for (const key of fingerprints) out.line(`  no certificate ${dryRun ? 'would be' : 'is'} made over ${key} any more`);
  if (dryRun) out.note('  nothing was done; leave --dry-run out to do it');
  else out.note(`  list ${answer.listNumber}: ${answer.listPath}; hosts take it from there, or: warden krl --push`);
}

function trailer({ ledgerSeq }: RevokeResponse): string {
  return ledgerSeq === 0n ? '' : ` · ledger ${ledgerSeq}`;
}

function readSerial(text: string): bigint {
  const serial = /^\d{1,20}$/.test(text) ? BigInt(text) : 0n;
  if (serial > 0n && serial <= 0xffff_ffff_ffff_ffffn) return serial;
  throw usageError(
    `--serial ${quoted(text)} is no serial`,
    'a decimal number above 0, as warden sign and ssh-keygen -L show it',
  );
}

function asJson(answer: RevokeResponse, dryRun: boolean, lift: boolean): Record<string, unknown> {
  return {
    dry_run: dryRun,
    lift,
    certificates_total: answer.certificatesTotal,
    expired: answer.expired,
    unknown: answer.unknown,
    certificates: answer.certificates.map(({ serial, keyId, actor, validBefore }) => ({
      serial: String(serial),
      key_id: keyId,
      actor,
      valid_before: validBefore?.toISOString(),
    })),
    list_number: answer.listNumber,
    list_path: answer.listPath,
    ledger_seq: answer.ledgerSeq,
  };
}
