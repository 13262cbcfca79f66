import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type { Koffi } from '../../src/unix/native-calls.ts';

/** What starting commands needs of the system beyond Node, as `Native` is for attestation. Each call is synchronous and waits for nothing. */
export interface RunnerCalls {
  /** pipe2(O_CLOEXEC). Unlike what Node makes of `pipe`, a real one: /dev/stdout can be opened again. */
  pipe(): { readonly read: number; readonly write: number };
  /** Gives a pipe so much room, where the kernel lets us; else it keeps what it has. */
  widen(fd: number, bytes: number): void;
  /** Makes the slave of a pseudo-terminal usable and opens it, close-on-exec, with UTF-8 erase. */
  openSlave(master: number): number;
  windowSize(master: number, columns: number, rows: number): void;
  /** The wait status of a child that has been reaped, by its pidfd; null before Linux 6.15. */
  waitStatus(pidfd: number): number | null;
  /** Marks those above 2 close-on-exec. One that is closed meanwhile is left out. */
  sealDescriptors(descriptors: readonly number[]): void;
}

const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_CLOEXEC = 0o2000000;
const F_GETFD = 1;
const F_SETFD = 2;
const F_SETPIPE_SZ = 1031;
const FD_CLOEXEC = 1;
// Linux's generic numbers (x86-64, arm64, riscv64, s390x).
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const PIDFD_GET_INFO = 0xc040ff0b;
const PIDFD_INFO_EXIT = 8n;
/** struct pidfd_info as it was first; the exit code is its last member. */
const PIDFD_INFO_BYTES = 64;
const TERMIOS_BYTES = 64;
const IUTF8 = 0x4000;

let bound: RunnerCalls | null = null;

/** Loaded at first use. @throws Error where koffi does not fit this machine, as `native()` has said before */
export function runnerCalls(): RunnerCalls {
  bound ??= bind(createRequire(import.meta.url)('koffi') as Koffi);
  return bound;
}

type Call = (...args: (number | Buffer)[]) => number;

function bind(koffi: Koffi): RunnerCalls {
  const libc = koffi.load('libc.so.6');
  const call = (definition: string): Call => libc.func(definition) as Call;
  const pipe2 = call('int pipe2(void *, int)');
  const ioctl = call('int ioctl(int, unsigned long, void *)');
  const ioctlNumber = call('int ioctl(int, unsigned long, long)');
  const fcntl = call('int fcntl(int, int, long)');
  const must = (what: string, result: number): number => (result >= 0 ? result : fail(what, koffi.errno()));

  return {
    pipe() {
      const ends = Buffer.alloc(8);
      must('pipe2', pipe2(ends, O_CLOEXEC));
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
    },
    widen(fd, bytes) {
      fcntl(fd, F_SETPIPE_SZ, bytes);
    },
    openSlave(master) {
      must('ioctl(TIOCSPTLCK)', ioctl(master, TIOCSPTLCK, Buffer.alloc(4)));
      const slave = must('ioctl(TIOCGPTPEER)', ioctlNumber(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
      const termios = Buffer.alloc(TERMIOS_BYTES);
      must('ioctl(TCGETS)', ioctl(slave, TCGETS, termios));
      termios.writeUInt32LE(termios.readUInt32LE(0) | IUTF8, 0);
      must('ioctl(TCSETS)', ioctl(slave, TCSETS, termios));
      return slave;
    },
    windowSize(master, columns, rows) {
      const size = Buffer.alloc(8);
      size.writeUInt16LE(rows, 0);
      size.writeUInt16LE(columns, 2);
      must('ioctl(TIOCSWINSZ)', ioctl(master, TIOCSWINSZ, size));
    },
    waitStatus(pidfd) {
      const info = Buffer.alloc(PIDFD_INFO_BYTES);
      info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0);
      const known = ioctl(pidfd, PIDFD_GET_INFO, info) === 0 && (info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) !== 0n;
      return known ? info.readInt32LE(PIDFD_INFO_BYTES - 4) : null;
    },
    sealDescriptors(descriptors) {
      for (const fd of descriptors) {
        if (fd > 2 && fcntl(fd, F_GETFD, 0) >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
      }
    },
  };
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** A system error as Node makes them. */
function fail(what: string, errno: number): never {
  const code = NAMES.get(errno) ?? String(errno);
  throw Object.assign(new Error(`${what}: ${code}`), { code, errno: -errno, syscall: what });
}
