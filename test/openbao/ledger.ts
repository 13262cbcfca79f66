import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Every record of a state folder. */
export async function readLedger(stateDir: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(join(stateDir, 'signatures.log'), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
