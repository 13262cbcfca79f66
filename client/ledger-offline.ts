import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { anchorPath } from '../src/ledger/anchor-path.ts';
import { listLedgerFiles } from '../src/ledger/files.ts';
import { type LedgerFilter, queryLedger } from '../src/ledger/query.ts';
import { type QueryLedgerRequest, WardenDefinition } from '../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from './args.ts';
import { whyFile } from './bounded-file.ts';
import { withDaemon } from './connect.ts';
import type { Invocation } from './invocation.ts';
import { stateFolder } from './paths.ts';
import { socketsToTry } from './reach-daemon.ts';

/**
 * The state folder of --state, else that of the daemon whose socket was named, else the one that a daemon of this machine
 * would use. @throws WardenError exit 2 where there is no ledger in it
 */
export async function ledgerFolder(invocation: Invocation): Promise<string> {
  const { args, env } = invocation;
  const dir = resolve(args.string('state') || (await folderOfNamedDaemon(invocation)) || stateFolder(env));
  const hint = 'name the state folder of the daemon: --state DIR (warden status tells administrators)';
  const found = await listLedgerFiles(dir).catch((error: unknown) => {
    throw usageError(`cannot read ${dir}: ${whyFile(error)}`, hint);
  });
  if (found.length === 0) throw usageError(`there is no ledger in ${dir}`, hint);
  return dir;
}

/** "" where no socket was named, nobody answers there, or it does not tell this caller: the files are read without it. */
async function folderOfNamedDaemon(invocation: Invocation): Promise<string> {
  const { args, env } = invocation;
  if (args.string('socket') === undefined && !env.WARDEN_SOCKET) return '';
  const { fullName, methods } = WardenDefinition;
  return withDaemon(invocation, (channel) => channel.unary(fullName, methods.status, {})).then(
    ({ stateDir }) => stateDir,
    () => '',
  );
}

/** The filter of the wire, as the files are searched. */
export function toLedgerFilter(request: QueryLedgerRequest): LedgerFilter {
  return {
    ...(request.actor !== '' && { actor: request.actor }),
    ...(request.kind !== '' && { kind: request.kind }),
    ...(request.outcome !== '' && { outcome: request.outcome }),
    ...(request.reason !== '' && { reason: request.reason }),
    ...(request.requestId !== '' && { request_id: request.requestId }),
    ...(request.serial !== '' && { serial: request.serial }),
    ...(request.since !== undefined && { since: request.since.getTime() }),
    ...(request.until !== undefined && { until: request.until.getTime() }),
  };
}

/** The last records that match, oldest first, as they stand in the files. */
export async function* lastRecords(invocation: Invocation, request: QueryLedgerRequest): AsyncGenerator<string> {
  const dir = await ledgerFolder(invocation);
  const found = queryLedger(dir, toLedgerFilter(request), { limit: request.limit });
  for await (const { json } of readingLedger(dir, found)) yield json;
}

/** What `read` gives, with a file that cannot be read told as what it is: unusable, and no defect. */
export async function* readingLedger<T>(dir: string, read: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* read;
  } catch (error) {
    throw unreadable(dir, error);
  }
}

export function unreadable(dir: string, error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).syscall === undefined) return error;
  return usageError(`cannot read the ledger in ${dir}: ${whyFile(error)}`, "run it as the daemon's user, or as root");
}

/**
 * The daemon's note, beside its socket, of how far the ledger got: a copy of the state folder does not bring it
 * along. Undefined where there is none (another socket, or a restart of the machine).
 */
export function anchorFile(invocation: Invocation, stateDir: string): { anchorFile?: string } {
  const found = socketsToTry(invocation)
    .map((socket) => anchorPath(stateDir, resolve(socket)))
    .find((path) => existsSync(path));
  return found === undefined ? {} : { anchorFile: found };
}
