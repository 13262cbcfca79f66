import type { AttestedConnection } from '../../src/callers/connection.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { type CallerProcess, readCallerProcess } from './caller-process.ts';

/** Of a caller that is alive after it was read. @throws WardenError caller_gone | caller_changed | route_unusable */
export function processOf(connection: AttestedConnection): CallerProcess {
  const { caller } = connection;
  try {
    const found = readCallerProcess(caller.pid);
    checkAlive(connection);
    return found;
  } catch (cause) {
    if (cause instanceof WardenError) throw cause;
    checkAlive(connection);
    throw new WardenError('route_unusable', 'the working folder of the calling process cannot be seen', {
      hint: 'ask from a process that the daemon may look at (same pid namespace, and dumpable)',
      cause,
    });
  }
}

export function checkAlive(connection: AttestedConnection): void {
  const state = connection.check();
  if (state === 'gone') throw new WardenError('caller_gone', 'the calling process has exited');
  if (state === 'changed') {
    throw new WardenError('caller_changed', 'the calling process runs another program than the one that connected');
  }
}
