import { hash } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import type { Certificate } from './certificate.ts';
import { bitmapOf, mergeRanges, partition, rangesOfBitmap, type SerialRange } from './serial-ranges.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

/** Certificates of one authority that are no longer good. */
export interface RevokedOfAuthority {
  /** Wire encoding of the authority's key; null: whoever signed. */
  readonly authority: Buffer | null;
  /** Never 0, which OpenSSH takes for "no serial". */
  readonly serials: readonly SerialRange[];
  readonly keyIds: readonly string[];
}

/** A key revocation list, as PROTOCOL.krl of OpenSSH has it. */
export interface RevocationList {
  /** Rises with each list that a daemon makes. */
  readonly number: bigint;
  /** Seconds since the epoch. */
  readonly generatedAt: bigint;
  readonly comment: string;
  readonly certificates: readonly RevokedOfAuthority[];
  /** SHA-256 of keys' wire encodings: of plain keys, of certified ones, and of authorities. */
  readonly keySha256: readonly Buffer[];
  /** Only read, never written: whole keys, and SHA-1 of keys. */
  readonly explicitKeys?: readonly Buffer[];
  readonly keySha1?: readonly Buffer[];
}

const MAGIC = Buffer.from('SSHKRL\n\0', 'latin1');
const FORMAT = 1;
const SECTION = { certificates: 1, explicitKey: 2, sha1: 3, signature: 4, sha256: 5 } as const;
const CERT = { serialList: 0x20, serialRange: 0x21, serialBitmap: 0x22, keyId: 0x23 } as const;
const MAX_BYTES = 64 * 1024 * 1024;
/** What OpenSSH reads: 16,384 bits, and a zero byte before them. */
const MAX_BITMAP_BYTES = 2049;

/** Does the list hold the certificate back: by serial, by key id, by its key or by the authority that signed it? */
export function isRevoked(
  { certificates, keySha256 }: RevocationList,
  { serial, keyId, publicKey, signatureKey }: Pick<Certificate, 'serial' | 'keyId' | 'publicKey' | 'signatureKey'>,
): boolean {
  const bySection = certificates.some(
    ({ authority, serials, keyIds }) =>
      (authority === null || authority.equals(signatureKey.blob)) &&
      (keyIds.includes(keyId) || serials.some(({ low, high }) => low <= serial && serial <= high)),
  );
  if (bySection) return true;
  const hashes = [publicKey, signatureKey].map(({ blob }) => hash('sha256', blob, 'buffer'));
  return keySha256.some((revoked) => hashes.some((one) => one.equals(revoked)));
}

/** The list's bytes: the same content, whatever its order, gives the same bytes. @throws WardenError invalid_request */
export function formatRevocationList(list: RevocationList): Buffer {
  return asListError(() => {
    const writer = new WireWriter(4096).raw(MAGIC).uint32(FORMAT).uint64(list.number).uint64(list.generatedAt);
    writer.uint64(0n).string('').string(withoutNul(list.comment, 'the comment'));
    const byAuthority = [...list.certificates].sort((a, b) => compare(a.authority, b.authority));
    for (const certificates of byAuthority) writeCertificates(writer, certificates);
    const hashes = uniqueBytes(list.keySha256);
    if (hashes.some((hash) => hash.length !== 32)) throw new WireError('a SHA-256 is not 32 bytes long');
    if (hashes.length > 0) section(writer, SECTION.sha256, () => strings(writer, hashes));
    return writer.finish();
  });
}

function writeCertificates(writer: WireWriter, { authority, serials, keyIds }: RevokedOfAuthority): void {
  if (serials.length === 0 && keyIds.length === 0) return;
  const { list, ranges, bitmaps } = partition(mergeRanges(serials.map(checkedRange)));
  const ids = [...new Set(keyIds)].map((id) => Buffer.from(withoutNul(id, 'a key id'), 'utf8')).sort(Buffer.compare);
  section(writer, SECTION.certificates, () => {
    writer.string(authority ?? '').string('');
    if (list.length > 0) {
      section(writer, CERT.serialList, () => {
        for (const serial of list) writer.uint64(serial);
      });
    }
    for (const { low, high } of ranges) section(writer, CERT.serialRange, () => writer.uint64(low).uint64(high));
    for (const group of bitmaps) {
      section(writer, CERT.serialBitmap, () => writer.uint64(group[0]?.low ?? 0n).mpint(bitmapOf(group)));
    }
    if (ids.length > 0) section(writer, CERT.keyId, () => strings(writer, ids));
  });
}

function section(writer: WireWriter, type: number, write: () => unknown): void {
  writer.uint8(type).nested(() => void write());
}

function strings(writer: WireWriter, list: readonly Buffer[]): void {
  for (const value of list) writer.string(value);
}

function checkedRange(range: SerialRange): SerialRange {
  if (range.low <= 0n || range.low > range.high) throw new WireError('a range of serials is empty or begins at 0');
  return range;
}

/** Reads a list that OpenSSH or this project wrote; serials come back merged. @throws WardenError invalid_request */
export function parseRevocationList(bytes: Buffer): RevocationList {
  return asListError(() => {
    if (bytes.length > MAX_BYTES) throw new WireError(`the list is longer than ${MAX_BYTES} bytes`);
    const reader = new WireReader(bytes);
    if (!reader.raw(MAGIC.length, 'the magic').equals(MAGIC)) throw new WireError('this is no key revocation list');
    if (reader.uint32('the format') !== FORMAT) throw new WireError('the list is of another format');
    const number = reader.uint64('the number');
    const generatedAt = reader.uint64('the date');
    reader.uint64('the flags');
    reader.string('the reserved field');
    const comment = reader.utf8('the comment');
    const certificates: RevokedOfAuthority[] = [];
    const found = {
      [SECTION.explicitKey]: [] as Buffer[],
      [SECTION.sha1]: [] as Buffer[],
      [SECTION.sha256]: [] as Buffer[],
    };
    while (reader.remaining > 0) {
      const type = reader.uint8('a section type');
      const body = new WireReader(reader.string('a section'));
      if (type === SECTION.certificates) certificates.push(readCertificates(body));
      else if (type === SECTION.explicitKey || type === SECTION.sha1 || type === SECTION.sha256) {
        while (body.remaining > 0) found[type].push(body.string('a key'));
      } else throw new WireError(`the list has a section of type ${type}, which is not known here`);
    }
    return {
      number,
      generatedAt,
      comment,
      certificates,
      keySha256: found[SECTION.sha256],
      explicitKeys: found[SECTION.explicitKey],
      keySha1: found[SECTION.sha1],
    };
  });
}

function readCertificates(body: WireReader): RevokedOfAuthority {
  const authority = body.string("the authority's key");
  body.string('the reserved field');
  const serials: SerialRange[] = [];
  const keyIds: string[] = [];
  while (body.remaining > 0) {
    const type = body.uint8('a section type');
    const part = new WireReader(body.string('a section'));
    switch (type) {
      case CERT.serialList:
        while (part.remaining > 0) {
          const serial = part.uint64('a serial');
          serials.push({ low: serial, high: serial });
        }
        break;
      case CERT.serialRange:
        serials.push(checkedRange({ low: part.uint64('a serial'), high: part.uint64('a serial') }));
        break;
      case CERT.serialBitmap: {
        const ranges = rangesOfBitmap(part.uint64('an offset'), part.mpint('a bitmap', MAX_BITMAP_BYTES));
        if (ranges === null) throw new WireError('a bitmap goes beyond the last serial');
        serials.push(...ranges);
        break;
      }
      case CERT.keyId:
        while (part.remaining > 0) keyIds.push(part.utf8('a key id'));
        break;
      default:
        throw new WireError(`the list has certificates in a form that is not known here (${type})`);
    }
    part.end('a section');
  }
  return { authority: authority.length === 0 ? null : authority, serials: mergeRanges(serials), keyIds };
}

function withoutNul(text: string, what: string): string {
  if (text.includes('\0')) throw new WireError(`${what} holds a NUL byte`);
  return text;
}

function uniqueBytes(list: readonly Buffer[]): Buffer[] {
  const sorted = [...list].sort(Buffer.compare);
  return sorted.filter((bytes, index) => index === 0 || !bytes.equals(sorted[index - 1] ?? bytes));
}

/** The section for whoever signed comes first. */
function compare(a: Buffer | null, b: Buffer | null): number {
  return Buffer.compare(a ?? Buffer.alloc(0), b ?? Buffer.alloc(0));
}

function asListError<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new WardenError('invalid_request', error.message, {
      cause: error,
      hint: 'ssh-keygen -Q -l -f FILE shows what a revocation list holds',
    });
  }
}
