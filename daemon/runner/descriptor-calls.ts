import { createRequire } from 'node:module';
import { constants } from 'node:os';
import type { Koffi as BaseKoffi } from '../../src/unix/native-calls.ts';

/** Descriptors from process to process, over Unix sockets. Nothing here waits, but for `readable`, which does on another thread. */
export interface DescriptorCalls {
  /** Two connected Unix stream sockets, close-on-exec. */
  pair(): readonly [number, number];
  /** One byte, and copies of the descriptors with it. The receiver's are its own to close. */
  send(socket: number, descriptors: readonly number[]): void;
  /** What came with the next byte, close-on-exec; null where no byte is there, or more came than was asked for. */
  receive(socket: number, most: number): readonly number[] | null;
  /** Whether something arrived, or the other side went, within `ms`. */
  readable(socket: number, ms: number): Promise<boolean>;
  /** Whether the other end of a Unix socket has a name. Every listening socket has. */
  peerHasName(socket: number): boolean;
}

type Call = (...args: (number | Buffer)[]) => number;

interface Message {
  name: null;
  namelen: number;
  iov: { base: Buffer; length: number }[];
  iovlen: number;
  control: Buffer;
  controllen: number;
  flags: number;
}

interface Koffi extends BaseKoffi {
  struct(name: string, members: Readonly<Record<string, string>>): unknown;
}

const AF_UNIX = 1;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SOCK_STREAM_CLOEXEC_NONBLOCK = 1 | 0o2000000 | 0o4000;
const MSG_CTRUNC = 8;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const POLLIN = 1;
const HEADER_BYTES = 16;
const NAME_BYTES = 110;
const FAMILY_BYTES = 2;

let bound: DescriptorCalls | null = null;

export function descriptorCalls(): DescriptorCalls {
  bound ??= bind(createRequire(import.meta.url)('koffi') as Koffi);
  return bound;
}

function bind(koffi: Koffi): DescriptorCalls {
  koffi.struct('warden_iovec', { base: 'void *', length: 'size_t' });
  koffi.struct('warden_msghdr', {
    name: 'void *',
    namelen: 'uint32_t',
    iov: 'warden_iovec *',
    iovlen: 'size_t',
    control: 'void *',
    controllen: 'size_t',
    flags: 'int',
  });
  const libc = koffi.load('libc.so.6');
  const message = (definition: string) =>
    libc.func(definition) as (fd: number, message: Message, flags: number) => number;
  const sendmsg = message('long sendmsg(int, const warden_msghdr *, int)');
  const recvmsg = message('long recvmsg(int, _Inout_ warden_msghdr *, int)');
  const socketpair = libc.func('int socketpair(int, int, int, void *)') as Call;
  const getpeername = libc.func('int getpeername(int, void *, void *)') as Call;
  const poll = libc.func('int poll(void *, unsigned long, int)') as Call & {
    async(fds: Buffer, count: number, ms: number, done: (error: unknown, ready: number) => void): void;
  };
  const close = libc.func('int close(int)') as Call;
  const must = (what: string, result: number): number => (result >= 0 ? result : fail(what, koffi.errno()));

  return {
    pair() {
      const ends = Buffer.alloc(8);
      must('socketpair', socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC_NONBLOCK, 0, ends));
      return [ends.readInt32LE(0), ends.readInt32LE(4)];
    },
    send(socket, descriptors) {
      const length = HEADER_BYTES + 4 * descriptors.length;
      const control = Buffer.alloc(Math.ceil(length / 8) * 8);
      control.writeBigUInt64LE(BigInt(length), 0);
      control.writeInt32LE(SOL_SOCKET, 8);
      control.writeInt32LE(SCM_RIGHTS, 12);
      for (const [i, fd] of descriptors.entries()) control.writeInt32LE(fd, HEADER_BYTES + 4 * i);
      const one = wrap(Buffer.from([1]), control);
      must('sendmsg', sendmsg(socket, one, MSG_NOSIGNAL | MSG_DONTWAIT));
    },
    receive(socket, most) {
      const control = Buffer.alloc(HEADER_BYTES + Math.ceil(most / 2) * 8);
      const one = wrap(Buffer.alloc(1), control);
      if (recvmsg(socket, one, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) !== 1) return null;
      const found = descriptorsIn(control.subarray(0, one.controllen));
      if ((one.flags & MSG_CTRUNC) === 0 && found.length <= most) return found;
      for (const fd of found) close(fd);
      return null;
    },
    readable(socket, ms) {
      const wanted = Buffer.alloc(8);
      wanted.writeInt32LE(socket, 0);
      wanted.writeUInt16LE(POLLIN, 4);
      const until = performance.now() + ms;
      return new Promise((resolve) => {
        const wait = (): void =>
          poll.async(wanted, 1, Math.max(0, Math.ceil(until - performance.now())), (error, ready) => {
            // A child that ends interrupts it.
            if (error === null && ready < 0 && performance.now() < until) wait();
            else resolve(error === null && ready > 0);
          });
        wait();
      });
    },
    peerHasName(socket) {
      const address = Buffer.alloc(NAME_BYTES);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(NAME_BYTES);
      must('getpeername', getpeername(socket, address, length));
      return length.readUInt32LE() > FAMILY_BYTES;
    },
  };
}

function wrap(byte: Buffer, control: Buffer): Message {
  return {
    name: null,
    namelen: 0,
    iov: [{ base: byte, length: 1 }],
    iovlen: 1,
    control,
    controllen: control.length,
    flags: 0,
  };
}

function descriptorsIn(control: Buffer): number[] {
  if (control.length < HEADER_BYTES) return [];
  const rights = control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS;
  const length = Math.min(Number(control.readBigUInt64LE(0)), control.length);
  if (!rights) return [];
  return Array.from({ length: (length - HEADER_BYTES) / 4 }, (_, i) => control.readInt32LE(HEADER_BYTES + 4 * i));
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

function fail(what: string, errno: number): never {
  const code = NAMES.get(errno) ?? String(errno);
  throw Object.assign(new Error(`${what}: ${code}`), { code, errno: -errno, syscall: what });
}
