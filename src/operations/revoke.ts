import { asWardenError, WardenError } from '../kernel/errors.ts';
import type { LedgerFilter } from '../ledger/query.ts';
import type { LedgerReceipt, RecordedEntry } from '../ledger/record.ts';
import type { Revoked } from '../revocation/restraints.ts';
import { requireAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { Trail } from './trail.ts';

export interface RevokeInput {
  readonly serials: readonly bigint[];
  readonly keyIds: readonly string[];
  /** `SHA256:…` of subject keys, or of an authority's. */
  readonly fingerprints: readonly string[];
  /** "": none. */
  readonly actor: string;
  /** Milliseconds since the epoch; null: not by time. */
  readonly since: number | null;
  readonly reason: string;
  readonly ticket: string;
  readonly dryRun: boolean;
  /** Takes back instead. */
  readonly lift: boolean;
}

/** A certificate as the ledger knows it. */
export interface RevokedCertificate {
  readonly serial: bigint;
  readonly keyId: string;
  readonly actor: string;
  /** Milliseconds since the epoch. */
  readonly validBefore: number;
}

export interface RevokeOutput {
  /** Certificates of the ledger that are still valid and are revoked by this. */
  readonly certificates: readonly RevokedCertificate[];
  /** Serials and key ids that the ledger does not know: revoked all the same, without an end. */
  readonly unknown: readonly string[];
  /** Those that had expired already: nothing to do. */
  readonly expired: number;
  /** Null for a dry run, and where there was nothing to do. */
  readonly receipt: LedgerReceipt | null;
}

/** Certificates that were issued, oldest first, without a limit. A port: the ledger's files are read. */
export type IssuedRecords = (filter: LedgerFilter, signal: AbortSignal) => AsyncIterable<RecordedEntry>;

/** So many items fit into one ledger record whatever their length. */
const ITEMS_A_RECORD = 200;

/**
 * Takes certificates back, and with an actor or a key everything that would come after. What is asked for is held
 * back first and looked up second, so that nothing is issued in between unseen.
 */
export async function revoke(
  input: RevokeInput,
  issued: IssuedRecords,
  context: RequestContext,
): Promise<RevokeOutput> {
  const trail = new Trail('revoke', context);
  trail.note({
    ...(input.actor === '' ? {} : { actor: input.actor }),
    ...(input.reason === '' ? {} : { user_reason: input.reason }),
    ...(input.ticket === '' ? {} : { ticket: input.ticket }),
  });
  try {
    await requireAdministrator(context);
    checkSelection(input);
    if (input.lift) return await lift(input, issued, trail, context);
    await checkKnown(input, issued, context);
    const heldBack: Revoked[] = [
      ...input.fingerprints.map((value): Revoked => ({ what: 'key', value })),
      ...(input.actor === '' ? [] : [{ what: 'actor', value: input.actor } as const]),
    ];
    let receipt: LedgerReceipt | null = null;
    if (heldBack.length > 0 && !input.dryRun) receipt = await set(heldBack, trail, context);
    const found = await lookUp(input, issued, context);
    if (!input.dryRun) receipt = (await set(itemsOf(found), trail, context)) ?? receipt;
    return {
      certificates: found.certificates,
      unknown: found.unknown.map(({ value }) => String(value)),
      expired: found.expired,
      receipt,
    };
  } catch (thrown) {
    throw await trail.refuse(asWardenError(thrown));
  }
}

/** @throws WardenError invalid_request */
function checkSelection(input: RevokeInput): void {
  const named = input.serials.length + input.keyIds.length + input.fingerprints.length > 0;
  const ways = [named, input.actor !== '', input.since !== null].filter(Boolean).length;
  if (ways !== 1) {
    throw new WardenError(
      'invalid_request',
      ways === 0 ? 'nothing is named to revoke' : 'an actor, a time and single certificates are revoked one at a time',
      { hint: 'give --serial, --key-id and --fingerprint, or --actor, or --since' },
    );
  }
  if (input.lift && input.since !== null) {
    throw new WardenError('invalid_request', 'what was revoked by time is lifted by serial', {
      hint: 'warden ledger query --kind revoke --json lists the serials',
    });
  }
  if (input.serials.includes(0n)) {
    throw new WardenError(
      'invalid_request',
      'serial 0 is no serial: OpenSSH revokes such certificates by key id alone',
      {
        hint: 'give --key-id',
      },
    );
  }
}

/** A name with a slip of the pen would be revoked, and the one that was meant would not. @throws WardenError unknown_actor */
async function checkKnown({ actor }: RevokeInput, issued: IssuedRecords, context: RequestContext): Promise<void> {
  const { actors, hosts } = context.world.snapshot;
  if (actor === '' || actors.has(actor) || hosts.some(({ name }) => name === actor)) return;
  for await (const record of issued({ outcome: 'ok', actor }, context.signal))
    if (certificateOf(record) !== null) return;
  throw new WardenError('unknown_actor', `neither the inventory nor the ledger knows ${actor}`, {
    hint: 'warden actors lists those of the inventory',
  });
}

async function lift(
  input: RevokeInput,
  issued: IssuedRecords,
  trail: Trail,
  context: RequestContext,
): Promise<RevokeOutput> {
  const { restraints } = context.services;
  const named: readonly (readonly Revoked[])[] = [
    ...input.serials.map((value): Revoked[] => [{ what: 'serial', value, until: null }]),
    ...(await itemsOfKeyIds(input.keyIds, issued, context)),
    ...input.fingerprints.map((value): Revoked[] => [{ what: 'key', value }]),
    ...(input.actor === '' ? [] : [[{ what: 'actor', value: input.actor } as const]]),
  ];
  // A slip of the pen would be told as done, and what was meant would stay revoked.
  const idle = named.find((items) => !items.some((item) => restraints.holds(item)));
  if (idle?.[0] !== undefined) {
    const actors = [...restraints.actors].join(', ') || 'none';
    throw new WardenError('invalid_request', `${idle[0].value} is not revoked, and nothing was lifted`, {
      hint: input.actor === '' ? 'warden krl -o FILE, then ssh-keygen -Q -l -f FILE' : `revoked actors: ${actors}`,
    });
  }
  const change = { kind: 'revoke', action: 'lift', items: named.flat() } as const;
  const receipt = input.dryRun ? null : await restraints.commit(change, trail.entry('ok'));
  return { certificates: [], unknown: [], expired: 0, receipt };
}

/** A certificate that was revoked by its key id is on the list by its serial. */
async function itemsOfKeyIds(
  keyIds: readonly string[],
  issued: IssuedRecords,
  { signal }: RequestContext,
): Promise<Revoked[][]> {
  if (keyIds.length === 0) return [];
  const items = new Map(keyIds.map((value): [string, Revoked[]] => [value, [{ what: 'key_id', value, until: null }]]));
  for await (const record of issued({ outcome: 'ok' }, signal)) {
    const certificate = certificateOf(record);
    if (certificate === null || certificate.serial === 0n) continue;
    items.get(certificate.keyId)?.push({ what: 'serial', value: certificate.serial, until: null });
  }
  return [...items.values()];
}

async function set(items: readonly Revoked[], trail: Trail, context: RequestContext): Promise<LedgerReceipt | null> {
  let receipt: LedgerReceipt | null = null;
  for (let at = 0; at < items.length; at += ITEMS_A_RECORD) {
    const change = { kind: 'revoke', action: 'set', items: items.slice(at, at + ITEMS_A_RECORD) } as const;
    receipt = await context.services.restraints.commit(change, trail.entry('ok'));
  }
  return receipt;
}

interface Found {
  readonly certificates: RevokedCertificate[];
  readonly unknown: Extract<Revoked, { what: 'serial' | 'key_id' }>[];
  expired: number;
}

async function lookUp(input: RevokeInput, issued: IssuedRecords, { services, signal }: RequestContext): Promise<Found> {
  const found: Found = { certificates: [], unknown: [], expired: 0 };
  const serials = new Set(input.serials.map(String));
  const keyIds = new Set(input.keyIds);
  const keys = new Set(input.fingerprints);
  const now = services.clock.now();
  const filter: LedgerFilter = {
    outcome: 'ok',
    ...(input.actor === '' ? {} : { actor: input.actor }),
    ...(input.since === null ? {} : { since: input.since }),
  };
  const all = input.actor !== '' || input.since !== null;
  for await (const record of issued(filter, signal)) {
    const certificate = certificateOf(record);
    if (certificate === null) continue;
    const bySerial = serials.delete(String(certificate.serial));
    const byKeyId = keyIds.delete(certificate.keyId);
    if (!all && !bySerial && !byKeyId && !keys.has(record.fingerprint ?? '')) continue;
    if (certificate.validBefore > now) found.certificates.push(certificate);
    else found.expired += 1;
  }
  for (const serial of serials) found.unknown.push({ what: 'serial', value: BigInt(serial), until: null });
  for (const value of keyIds) found.unknown.push({ what: 'key_id', value, until: null });
  return found;
}

function certificateOf(record: RecordedEntry): RevokedCertificate | null {
  const { certificate_issued: was, serial = '', key_id: keyId = '', actor = '', valid_before: end = '' } = record;
  const validBefore = Date.parse(end);
  if (was !== true || !/^\d{1,20}$/.test(serial) || Number.isNaN(validBefore)) return null;
  return { serial: BigInt(serial), keyId, actor, validBefore };
}

/** By serial, which is short; by key id where there is no serial to speak of. */
function itemsOf({ certificates, unknown }: Found): Revoked[] {
  return [
    ...certificates.map(({ serial, keyId, validBefore }): Revoked => {
      const until = BigInt(Math.ceil(validBefore / 1000));
      return serial === 0n ? { what: 'key_id', value: keyId, until } : { what: 'serial', value: serial, until };
    }),
    ...unknown,
  ];
}
