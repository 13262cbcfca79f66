import type { Launched } from './launch.ts';
import { runningCommand } from './running.ts';

export interface Result {
  readonly stdout: string;
  readonly exitCode: number | null;
}

const MOST_BYTES = 64 * 1024;

/** Of a short helper: what it wrote to stdout, and how it ended. */
export async function resultOf(launched: Launched): Promise<Result> {
  const command = runningCommand(launched);
  const chunks: Buffer[] = [];
  let length = 0;
  command.stderr?.resume();
  command.stdout.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= MOST_BYTES) chunks.push(chunk);
    else command.signal('SIGKILL');
  });
  const end = await command.ended;
  return { stdout: Buffer.concat(chunks).toString('utf8'), exitCode: end?.exitCode ?? null };
}
