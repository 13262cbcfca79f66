import type { Log } from './log.ts';

/** The exit code of whatever nobody foresaw. */
export const INTERNAL = 5;

/**
 * A failure that nobody caught ends the daemon, with a word in the log: nobody knows what state it left, and what
 * signs certificates must not go on in a state that nobody knows. Nothing is lost by it: what was released is on
 * record, what was not is not released, and the service manager starts a fresh one.
 */
export function endOnUnforeseen(log: Pick<Log, 'fatal'>): void {
  process.on('uncaughtException', (error: unknown, origin) => {
    log.fatal(
      { origin, cause: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      'unforeseen failure',
    );
    process.exit(INTERNAL);
  });
}
