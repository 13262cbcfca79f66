import { statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { placeOf } from '../../src/config/problems.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { listLedgerFiles } from '../../src/ledger/files.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { verifyTail } from '../../src/ledger/verify-tail.ts';
import { whyFile } from '../bounded-file.ts';
import { loadFolder } from '../config-offline.ts';
import { toShown } from '../report-error.ts';
import type { CaFacts, ConfigFacts, LedgerFacts, SocketFacts, StateFacts } from './judge-files.ts';
import { see } from './see.ts';

const MiB = 1024 * 1024;
/** A ledger up to this size is read whole. */
const WHOLE_BYTES = 16 * MiB;
const DAY_MS = 86_400_000;

/** The config as the daemon would read it, and the settings where it holds. */
export async function gatherConfig(dir: string): Promise<{ facts: ConfigFacts; config: Snapshot | null }> {
  const nothing = { dir, empty: false, posture: null, actors: 0, problems: [], warnings: [] };
  try {
    const { config, problems, empty } = await loadFolder(dir);
    const facts: ConfigFacts = {
      ...nothing,
      closed: null,
      empty,
      posture: config?.settings.posture ?? null,
      actors: config?.actors.size ?? 0,
      problems: problems.map((problem) => ({ place: placeOf(problem), message: problem.message, hint: problem.hint })),
      warnings: config?.warnings ?? [],
    };
    return { facts, config };
  } catch (thrown) {
    return { facts: { ...nothing, closed: toShown(thrown).message }, config: null };
  }
}

export function gatherSocket(path: string, config: Snapshot | null, daemonUid: number): SocketFacts {
  const wanted = config?.settings.socket ?? null;
  return { path, file: see(path, { follow: false }), folder: see(dirname(path)), wanted, daemonUid };
}

export async function gatherState(dir: string, daemonUid: number): Promise<StateFacts> {
  const disk = await statfs(dir).then(
    ({ bavail, blocks, bsize, ffree, files }) => ({
      free: bavail * bsize,
      total: blocks * bsize,
      // Some file systems make inodes as they go, and say 0 of 0.
      freeFiles: files === 0 ? -1 : ffree,
    }),
    () => null,
  );
  return { dir, folder: see(dir), daemonUid, disk };
}

export function gatherCa({ settings }: Snapshot, daemonUid: number, mode: 'user' | 'system', now: number): CaFacts {
  const { backend, posture, ca } = settings;
  const isFile = !/^(?:agent|credential):/.test(ca.key);
  const file = isFile ? see(ca.key) : null;
  const ageDays =
    file === null || typeof file === 'string' ? null : Math.floor((now - statSync(ca.key).mtimeMs) / DAY_MS);
  return { backend, posture, key: ca.key, file, ageDays, daemonUid, mode };
}

/** Small ledgers whole, the end of large ones. */
export async function gatherLedger(dir: string): Promise<LedgerFacts> {
  try {
    const files = await listLedgerFiles(dir);
    if (files.length === 0) return { kind: 'none', dir };
    const bytes = files.reduce((sum, { path }) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
    if (bytes > WHOLE_BYTES) return { kind: 'tail', ...(await verifyTail(dir)) };
    const { records, findings, notes } = await verifyLedger(dir);
    const words = findings.map(({ file, line, what }) => `${file}${line === null ? '' : `:${line}`}: ${what}`);
    return { kind: 'whole', records, findings: words, notes: notes.length };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return { kind: 'none', dir };
    if (code === undefined) throw error;
    return { kind: 'closed', why: `the ledger in ${dir}: ${whyFile(error)}` };
  }
}
