import { readFileSync } from 'node:fs';
import { parseLimits } from './caller-process.ts';
import type { OwnBounds } from './chain.ts';

const CAP_SYS_RESOURCE = 24n;

/** Read anew for each command: somebody may have changed our limits from outside (prlimit). */
export function ownBounds(): OwnBounds {
  const status = readFileSync('/proc/self/status', 'latin1');
  const capabilities = (name: string): bigint =>
    BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
  return {
    limits: parseLimits(readFileSync('/proc/self/limits', 'latin1')),
    mayRaise: (capabilities('CapEff') & (1n << CAP_SYS_RESOURCE)) !== 0n,
    bounding: capabilities('CapBnd'),
  };
}
