import { asWardenError, WardenError } from '../src/kernel/errors.ts';

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EIO']);

/** What kept the daemon from starting: a file or folder that the system refused is the operator's to mend, not a fault of ours. */
export function startError(thrown: unknown): WardenError {
  if (thrown instanceof WardenError || !(thrown instanceof Error)) return asWardenError(thrown);
  const { code, path } = thrown as NodeJS.ErrnoException;
  if (code === undefined) return asWardenError(thrown);
  const where = path ?? 'the state folder';
  if (NO_ROOM.has(code)) {
    return new WardenError('ledger_unavailable', `${where} cannot be written (${code})`, { cause: thrown });
  }
  if (path === undefined) return asWardenError(thrown);
  return new WardenError('config_invalid', `${where} cannot be used (${code})`, {
    hint: `see who owns ${where} and the folders above it, and their modes, or give another path`,
    cause: thrown,
  });
}
