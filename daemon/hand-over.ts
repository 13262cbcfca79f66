import type { Socket } from 'node:net';
import { WardenError } from '../src/kernel/errors.ts';

/**
 * Resolves once the kernel has it all, and the end behind it. Whoever does not take it until `signal` aborts gets no
 * more of it, and the connection is gone.
 * @throws WardenError caller_gone | deadline_exceeded
 */
export function handOver(socket: Socket, bytes: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const late = (): void => {
      reject(new WardenError('deadline_exceeded', 'the service manager does not take the credential'));
      socket.destroy();
    };
    const gone = (cause?: Error): void =>
      reject(new WardenError('caller_gone', 'the service manager is gone', cause === undefined ? {} : { cause }));
    if (signal.aborted) return late();
    signal.addEventListener('abort', late, { once: true });
    socket.once('error', gone);
    socket.once('close', () => {
      signal.removeEventListener('abort', late);
      gone();
    });
    // Told of a failure, too, though its type does not say so.
    socket.end(bytes, (cause?: Error | null) => (cause ? gone(cause) : resolve()));
  });
}
