import { hash, type KeyObject } from 'node:crypto';
import { realpathSync } from 'node:fs';
import type { FileIdentity } from './files.ts';
import { isSignedBy, type LedgerKey } from './key.ts';

/**
 * The head of the ledger: which record is the last, signed. It stands in `signatures.head` in two slots of 512
 * bytes that are written in turn, in place, so that a write that is torn leaves the other one; and in one such
 * slot in the anchor file outside the state folder.
 */
export interface Head {
  /** Random, one per ledger: 32 hex digits. */
  readonly id: string;
  /** Counts the heads of this ledger: the highest is the newest. */
  readonly turn: number;
  /** Of the last record; 0 before the first. */
  readonly seq: number;
  /** Of the last record, hex. */
  readonly hash: string;
  /** The highest certificate serial recorded so far. */
  readonly serial: bigint;
  /** Of the file that holds the last record. */
  readonly file: FileIdentity;
  /** Digest of the state folder's real path: tells an anchor of this folder from one that another folder left. */
  readonly folder: string;
  /** The daemon stopped in order: nothing may follow this record until a daemon starts. */
  readonly closed: boolean;
}

export const SLOT_BYTES = 512;
const LABEL = Buffer.from('wardend ledger head v1\n');
const SIGNATURE = ',"signature":"';

export function folderTag(dir: string): string {
  return hash('sha256', realpathSync(dir), 'hex').slice(0, 16);
}

/** One slot: a JSON object, spaces up to the width, a newline. */
export function encodeHead(head: Head, key: LedgerKey): Buffer {
  const unsigned =
    `{"v":1,"id":"${head.id}","turn":${head.turn},"seq":${head.seq},"hash":"${head.hash}","serial":"${head.serial}",` +
    `"dev":"${head.file.dev}","ino":"${head.file.ino}","born":"${head.file.born}",` +
    `"folder":"${head.folder}","closed":${head.closed}`;
  const signature = key.sign(Buffer.concat([LABEL, Buffer.from(unsigned)]));
  const slot = Buffer.alloc(SLOT_BYTES, ' ');
  slot.write(`${unsigned}${SIGNATURE}${signature}"}`, 'latin1');
  slot[SLOT_BYTES - 1] = 10;
  return slot;
}

/** What a slot says, unverified; null where it has not the form that `encodeHead` gives. */
export function decodeHead(slot: Buffer): { head: Head; signature: string; signed: Buffer } | null {
  const text = slot.toString('latin1');
  const match =
    /^(\{"v":1,"id":"([0-9a-f]{32})","turn":(\d{1,16}),"seq":(\d{1,16}),"hash":"([0-9a-f]{64})","serial":"(\d{1,20})","dev":"(\d{1,20})","ino":"(\d{1,20})","born":"(\d{1,20})","folder":"([0-9a-f]{16})","closed":(true|false)),"signature":"([A-Za-z0-9+/]{86}==)"\} *\n$/.exec(
      text,
    );
  if (match === null || slot.length !== SLOT_BYTES) return null;
  const [, signed = '', id = '', turn, seq, hashHex = '', serial = '0', dev = '', ino = '', born = '', folder = ''] =
    match;
  const head: Head = {
    id,
    turn: Number(turn),
    seq: Number(seq),
    hash: hashHex,
    serial: BigInt(serial),
    file: { dev, ino, born },
    folder,
    closed: match[11] === 'true',
  };
  return { head, signature: match[12] ?? '', signed: Buffer.concat([LABEL, Buffer.from(signed)]) };
}

/** What a slot says; null where it is damaged or not signed by this key. */
export function verifyHead(slot: Buffer, publicKey: KeyObject): Head | null {
  const decoded = decodeHead(slot);
  if (decoded === null || !isSignedBy(publicKey, decoded.signed, decoded.signature)) return null;
  return decoded.head;
}

export interface HeadReading {
  /** The newest head that is signed; null where there is none. */
  readonly head: Head | null;
  /** In which of the two slots it stands. */
  readonly slot: 0 | 1;
  /** The other slot is neither empty nor signed: a write that was torn, or a hand. */
  readonly damaged: boolean;
}

/** Reads both slots of a head file's content. A slot of zeros was never written. */
export function readSlots(content: Buffer, publicKey: KeyObject): HeadReading {
  const slots = [content.subarray(0, SLOT_BYTES), content.subarray(SLOT_BYTES, 2 * SLOT_BYTES)];
  const heads = slots.map((slot) => verifyHead(slot, publicKey));
  const isDamaged = (n: number): boolean => heads[n] === null && !isBlank(slots[n]);
  const damaged = isDamaged(0) || isDamaged(1) || content.length !== 2 * SLOT_BYTES;
  const [first = null, second = null] = heads;
  if (second !== null && (first === null || second.turn > first.turn)) return { head: second, slot: 1, damaged };
  return { head: first, slot: 0, damaged };
}

function isBlank(slot: Buffer | undefined): boolean {
  return slot === undefined || slot.every((byte) => byte === 0);
}
