import { cancelled } from './cancelled.ts';

/**
 * Runs `work` under one deadline that covers all of it: queueing, connecting, each byte of a slow answer, and
 * a second try. The signal given to `work` ends with the deadline, or with the asker's own signal.
 *
 * @throws what `late` makes of the deadline; WardenError where the asker's signal ended; what `work` throws
 */
export async function withDeadline<T>(
  timeoutMs: number,
  asker: AbortSignal | undefined,
  late: () => Error,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (asker?.aborted) throw cancelled(asker);
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
      leave = () => end(cancelled(asker));
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
