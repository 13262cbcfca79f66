import type { CommandEnd } from '../access/command-runner.ts';
import { exitCode } from '../access/exit-code.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import type { Ran } from './exec-peer.ts';
import type { Trail } from './trail.ts';

/**
 * The end goes on record also where nobody hears of it any more. Null where it cannot be written: what ran has run,
 * and its exit code is its caller's all the same.
 */
export async function recordEnd(
  { bytes, ended }: Ran,
  end: CommandEnd,
  durationMs: number,
  trail: Trail,
): Promise<LedgerReceipt | null> {
  const how = ended === null ? {} : ({ outcome: 'failed', reason: ended.code } as const);
  return trail.record({ ...how, exit_code: exitCode(end), bytes, duration_ms: durationMs }).catch(() => null);
}
