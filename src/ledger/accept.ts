import { randomBytes } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import { ChainWriter } from './chain.ts';
import type { Finding } from './chain-check.ts';
import { CURRENT_LOG, HEAD_FILE, isMissing, syncFolder } from './files.ts';
import { folderTag } from './head.ts';
import { HeadFile } from './head-file.ts';
import { createLedgerKey, loadLedgerKey } from './key.ts';
import { encodeEntry } from './line.ts';
import { asUnavailable, LogFile, systemIo } from './log-file.ts';
import { setTornBytesAside } from './torn-bytes.ts';
import { auditLedger } from './verify.ts';

export interface AcceptOptions {
  readonly clock: Clock;
  readonly anchorFile?: string;
}

export interface Accepted {
  /** Of the record that says what was accepted. */
  readonly seq: bigint;
  /** What `verify` found before. */
  readonly findings: readonly Finding[];
}

/** So many breaks fit into one record; what is beyond stays a finding. */
const MAX_SENTENCES = 100;

/**
 * The mend of a ledger that refuses to start, or of a state folder that was moved on purpose: keeps the records
 * that are there, appends a signed `recovered` record that names what was accepted and why, and binds head and
 * anchor anew. Numbers and serials that were given out are not given again. The daemon must not run.
 * @throws WardenError invalid_request, ledger_unavailable
 */
export async function acceptBreak(dir: string, reason: string, options: AcceptOptions): Promise<Accepted> {
  if (reason.trim() === '')
    throw new WardenError('invalid_request', 'a break is accepted with a reason', { hint: 'add --reason …' });
  try {
    return await accept(dir, reason, options);
  } catch (thrown) {
    throw asUnavailable(thrown);
  }
}

async function accept(dir: string, reason: string, options: AcceptOptions): Promise<Accepted> {
  const anchorPath = options.anchorFile ?? null;
  const { result, end } = await auditLedger(dir, anchorPath === null ? {} : { anchorFile: anchorPath });
  const { head, anchor } = end;
  const existing = await loadLedgerKey(dir);
  const made = existing === null ? await createLedgerKey(dir) : null;
  const key = existing ?? made?.key;
  // Under a new key the old checkpoints' signatures can't hold: they are among what is accepted.
  const sentences =
    made === null ? end.sentences : (await auditLedger(dir, { publicKey: made.key.publicKey })).end.sentences;
  if (key === undefined) throw new WardenError('internal', 'internal error');

  const seq = Math.max(end.highestSeq, head?.seq ?? 0, anchor?.seq ?? 0);
  const changes = [
    made === null ? 'accepted by hand' : 'accepted by hand, with a new ledger key',
    ...result.findings
      .slice(0, MAX_SENTENCES)
      .map(({ file, line, what }) => `${file}${line === null ? '' : `:${line}`}: ${what}`),
    ...sentences.slice(0, MAX_SENTENCES),
  ];
  const aside = await cutBehind(dir, end.offset, end.highestSeq);
  if (aside !== null) changes.push(`bytes behind the last whole record were cut away and kept in ${aside}`);

  const entry = encodeEntry({ kind: 'recovered', outcome: 'ok', user_reason: reason.slice(0, 512), changes });
  const position = { seq, hash: Buffer.from(end.lastHash, 'hex'), sinceCheckpoint: 0 };
  const time = new Date(options.clock.now()).toISOString();
  const built = new ChainWriter(key, Number.MAX_SAFE_INTEGER).build([{ ...entry, signed: true }], position, time);
  const log = await LogFile.open(dir, systemIo, {
    offset: end.offset,
    firstSeq: end.firstSeqOfCurrent,
    lastHash: end.lastHash,
  });
  await log.append(built.bytes);

  await fs.rm(join(dir, HEAD_FILE), { force: true });
  const heads = HeadFile.open(join(dir, HEAD_FILE), anchorPath, key, 1);
  const serial = [end.serial, head?.serial ?? 0n, anchor?.serial ?? 0n].reduce((a, b) => (a > b ? a : b));
  heads.write(
    heads.prepare({
      id: head?.id ?? anchor?.id ?? randomBytes(16).toString('hex'),
      turn: Math.max(head?.turn ?? 0, anchor?.turn ?? 0) + 1,
      seq: built.position.seq,
      hash: built.position.hash.toString('hex'),
      serial,
      file: log.identity,
      folder: folderTag(dir),
      closed: true,
    }),
  );
  heads.sync();
  heads.close();
  await log.close();
  await made?.save();
  await syncFolder(dir);
  return { seq: BigInt(built.position.seq), findings: result.findings };
}

async function cutBehind(dir: string, offset: number, afterSeq: number): Promise<string | null> {
  try {
    if ((await fs.stat(join(dir, CURRENT_LOG))).size <= offset) return null;
  } catch (thrown) {
    if (isMissing(thrown)) return null;
    throw thrown;
  }
  return setTornBytesAside(dir, offset, afterSeq);
}
