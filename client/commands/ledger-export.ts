import { closeSync, constants, openSync, writeFileSync } from 'node:fs';
import { exportLedger } from '../../src/ledger/export.ts';
import { quoted, usageError } from '../args.ts';
import { whyFile } from '../bounded-file.ts';
import type { Invocation } from '../invocation.ts';
import { readFilter } from '../ledger-filter.ts';
import { ledgerFolder, readingLedger, toLedgerFilter } from '../ledger-offline.ts';

/** Every record that matches, oldest first, for other programs. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const format = args.string('format') ?? 'jsonl';
  if (format !== 'jsonl' && format !== 'csv')
    throw usageError(`--format ${quoted(format)} is none`, 'one of jsonl, csv');
  const fields = args
    .string('fields')
    ?.split(',')
    .filter((field) => field !== '');
  const filter = toLedgerFilter(readFilter(args, Date.now()));
  const dir = await ledgerFolder(invocation);
  const target = args.string('out') ?? '-';
  const fd = target === '-' ? null : create(target);
  let count = 0;
  try {
    const lines = exportLedger(dir, { format, filter, ...(fields !== undefined && { fields }) });
    for await (const line of readingLedger(dir, lines)) {
      count += 1;
      if (fd !== null) writeWhole(fd, line, target);
      // Byte for byte, but not for a terminal: a record holds words of callers.
      else if (out.terminal) out.line(line.trimEnd());
      else out.raw(line);
      if (out.abandoned) break;
    }
  } finally {
    if (fd !== null) closeSync(fd);
  }
  if (fd !== null) out.aside(`${target}: ${count} lines`);
  return 0;
}

function writeWhole(fd: number, line: string, path: string): void {
  try {
    writeFileSync(fd, line);
  } catch (error) {
    throw usageError(`cannot write ${path}: ${whyFile(error)}`, 'name another file with --out');
  }
}

/** A record may hold what is not everyone's business: 0600. */
function create(path: string): number {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  } catch (error) {
    throw usageError(`cannot write ${path}: ${whyFile(error)}`, 'name another file with --out');
  }
}
