import { constants } from 'node:os';
import type { CommandEnd } from './command-runner.ts';

/** As a shell has it: 128 and the number of the signal. */
export function exitCode({ exitCode: code, signal }: CommandEnd): number {
  if (signal !== null) return 128 + constants.signals[signal];
  return code ?? 0;
}
