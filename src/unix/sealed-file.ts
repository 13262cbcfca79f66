import { closeSync, constants, fchmodSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as os } from 'node:os';
import type { Koffi } from './native-calls.ts';

/** Files in memory whose bytes nobody can change once they are sealed: not their owner, not root. */
export interface SealedFiles {
  /** An empty one, open for writing, close-on-exec. The name shows in /proc alone. @throws NodeJS.ErrnoException */
  create(name: string): number;
  /** Fixes its bytes. Takes `fd` over, and gives one that is open for reading: what is open for writing cannot be executed. */
  seal(fd: number): number;
  /** Whether a descriptor is such a file, and sealed. */
  isSealed(fd: number): boolean;
}

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Since Linux 6.3, where a machine may forbid it (vm.memfd_noexec). */
const MFD_EXEC = 16;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** F_SEAL_SEAL, SHRINK, GROW and WRITE. */
const ALL_SEALS = 15;
const MOST_NAME_BYTES = 200;

let bound: SealedFiles | null = null;

/** Loaded at first use. */
export function sealedFiles(): SealedFiles {
  bound ??= bind(createRequire(import.meta.url)('koffi') as Koffi);
  return bound;
}

function bind(koffi: Koffi): SealedFiles {
  const libc = koffi.load('libc.so.6');
  const memfdCreate = libc.func('int memfd_create(const char *, unsigned int)') as (name: string, f: number) => number;
  const fcntl = libc.func('int fcntl(int, int, int)') as (fd: number, command: number, value: number) => number;
  return {
    create(name) {
      const short = Buffer.from(name, 'utf8').subarray(0, MOST_NAME_BYTES).toString('utf8').replaceAll('\0', '');
      const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
      let fd = memfdCreate(short, flags | MFD_EXEC);
      // An older kernel does not know the flag, and lets all be executed.
      if (fd < 0 && koffi.errno() === os.errno.EINVAL) fd = memfdCreate(short, flags);
      if (fd < 0) throw new Error(`memfd_create: errno ${koffi.errno()}`);
      return fd;
    },
    seal(fd) {
      try {
        fchmodSync(fd, 0o555);
        if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0) throw new Error(`fcntl(F_ADD_SEALS): errno ${koffi.errno()}`);
        return openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY);
      } finally {
        closeSync(fd);
      }
    },
    isSealed: (fd) => fcntl(fd, F_GET_SEALS, 0) === ALL_SEALS,
  };
}
