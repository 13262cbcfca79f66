/** What a call throws that came to no end of its own. */
export interface Ends {
  /** The deadline passed. */
  readonly late: () => Error;
  /** The asker's signal ended: nothing that the outside system is to blame for. */
  readonly gone: (signal: AbortSignal) => Error;
}

/**
 * Runs `work` under one deadline that covers all of it: queueing, connecting, each byte of a slow answer, and
 * a second try. The signal given to `work` ends with the deadline, or with the asker's own signal.
 *
 * @throws what `ends` makes of the deadline or of the asker's signal; what `work` throws
 */
export async function withDeadline<T>(
  timeoutMs: number,
  asker: AbortSignal | undefined,
  { late, gone }: Ends,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (asker?.aborted) throw gone(asker);
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let leave: (() => void) | undefined;
  const ended = new Promise<never>((_resolve, reject) => {
    const end = (error: Error): void => {
      // Before the abort, whose own error must not win.
      reject(error);
      controller.abort(error);
    };
    timer = setTimeout(() => end(late()), timeoutMs);
    if (asker !== undefined) {
      leave = () => end(gone(asker));
      asker.addEventListener('abort', leave, { once: true });
    }
  });
  try {
    return await Promise.race([ended, work(controller.signal)]);
  } finally {
    clearTimeout(timer);
    if (leave !== undefined) asker?.removeEventListener('abort', leave);
  }
}
