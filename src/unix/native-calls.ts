import { constants } from 'node:os';
import type { FileIdentity } from '../callers/caller.ts';
import type { Native } from './system-calls.ts';

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERGROUPS = 59;
const SO_PEERPIDFD = 77;
const SYS_PIDFD_OPEN = 434;
const POLLIN = 1;
const LOCK_EX_NB = 2 | 4;
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC_NONBLOCK = 1 | 0o2000000 | 0o4000;
const SOCK_DGRAM_CLOEXEC_NONBLOCK = 2 | 0o2000000 | 0o4000;
const MSG_NOSIGNAL = 0x4000;
const SUN_PATH_BYTES = 108;
const AT_FDCWD = -100;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_INO = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const STATX_BYTES = 256;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const RLIMIT_CORE = 4;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;

const { EAGAIN, EINTR, EINVAL, ENODATA, ENOPROTOOPT, ENOSYS, ERANGE, ESRCH } = constants.errno;

type Call = (...args: (number | bigint | string | Buffer)[]) => number;

/** The part of koffi that is used. */
export interface Koffi {
  load(path: string): { func(definition: string): unknown };
  errno(): number;
}

/** The system calls behind `Native`, for Linux's generic ABI. Throws what koffi throws where libc is not what it should be. */
export function bindCalls(koffi: Koffi): Native {
  const libc = koffi.load('libc.so.6');
  const call = (definition: string): Call => libc.func(definition) as Call;
  const getsockopt = call('int getsockopt(int, int, int, void *, void *)');
  const poll = call('int poll(void *, unsigned long, int)');
  const syscall = call('long syscall(long, int, unsigned int)');
  const statx = call('int statx(int, const char *, int, unsigned int, void *)');
  const flock = call('int flock(int, int)');
  const socket = call('int socket(int, int, int)');
  const fchmod = call('int fchmod(int, unsigned int)');
  const bindCall = call('int bind(int, void *, unsigned int)');
  const getsockname = call('int getsockname(int, void *, void *)');
  const getpeername = call('int getpeername(int, void *, void *)');
  const sendto = call('int64_t sendto(int, void *, size_t, int, void *, uint32_t)');
  const fcntl = call('int fcntl(int, int, long)');
  const close = call('int close(int)');
  const prctl = call('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
  const setrlimit = call('int setrlimit(int, void *)');

  // One buffer each, reused: all calls are synchronous and none re-enters.
  const length = Buffer.alloc(4);
  const small = Buffer.alloc(16);
  const pollfd = Buffer.alloc(8);
  const attributes = Buffer.alloc(STATX_BYTES);

  function option(fd: number, name: number, into: Buffer): number {
    length.writeUInt32LE(into.length);
    return getsockopt(fd, SOL_SOCKET, name, into, length) === 0 ? 0 : koffi.errno();
  }

  function look(path: string, mask: number): boolean {
    // A NUL would cut the path short at another file.
    return !path.includes('\0') && statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, mask, attributes) === 0;
  }

  function timeAt(offset: number): bigint {
    return attributes.readBigInt64LE(offset) * 1_000_000_000n + BigInt(attributes.readUInt32LE(offset + 8));
  }

  return {
    peerCredentials(fd) {
      must('getsockopt(SO_PEERCRED)', option(fd, SO_PEERCRED, small));
      return { pid: small.readInt32LE(0), uid: small.readUInt32LE(4), gid: small.readUInt32LE(8) };
    },
    peerGroups(fd) {
      let gids = Buffer.alloc(64 * 4);
      let failed = option(fd, SO_PEERGROUPS, gids);
      if (failed === ERANGE) {
        gids = Buffer.alloc(length.readUInt32LE());
        failed = option(fd, SO_PEERGROUPS, gids);
      }
      // ENODATA: the peer's credentials carry no group list.
      if (failed === ENODATA) return [];
      must('getsockopt(SO_PEERGROUPS)', failed);
      return Array.from({ length: length.readUInt32LE() / 4 }, (_, i) => gids.readUInt32LE(i * 4));
    },
    peerPidfd(fd) {
      const failed = option(fd, SO_PEERPIDFD, small.subarray(0, 4));
      if (failed === 0) return small.readInt32LE(0);
      if (failed === ENOPROTOOPT) return 'unsupported';
      // Kernels differ in how they say that the peer has been reaped.
      if (failed === ESRCH || failed === EINVAL || failed === ENODATA) return 'gone';
      return must('getsockopt(SO_PEERPIDFD)', failed);
    },
    pidfdOpen(pid) {
      const fd = syscall(SYS_PIDFD_OPEN, pid, 0);
      if (fd >= 0) return fd;
      const failed = koffi.errno();
      if (failed === ENOSYS) return 'unsupported';
      if (failed === ESRCH || failed === EINVAL) return 'gone';
      return must('pidfd_open', failed);
    },
    pidfdAlive(pidfd) {
      pollfd.writeInt32LE(pidfd, 0);
      pollfd.writeUInt32LE(POLLIN, 4);
      // A signal that waits (SIGHUP, a profiler's) ends even a poll that does not wait.
      let ready = poll(pollfd, 1, 0);
      while (ready < 0 && koffi.errno() === EINTR) ready = poll(pollfd, 1, 0);
      if (ready < 0) must('poll', koffi.errno());
      return ready === 0;
    },
    identify(path) {
      return look(path, STATX_INO) ? identityIn(attributes) : null;
    },
    version(path) {
      if (!look(path, STATX_BASIC_STATS | STATX_MNT_ID)) return null;
      return {
        ...identityIn(attributes),
        size: attributes.readBigUInt64LE(40),
        ctimeNs: timeAt(96),
        mtimeNs: timeAt(112),
        mountId: attributes.readBigUInt64LE(144),
      };
    },
    tryLock(fd) {
      if (flock(fd, LOCK_EX_NB) === 0) return true;
      const failed = koffi.errno();
      return failed === EAGAIN ? false : must('flock', failed) === 0;
    },
    socketOption(fd, name) {
      return option(fd, name, small.subarray(0, 4)) === 0 ? small.readInt32LE(0) : null;
    },
    bindUnix(path, mode) {
      const bytes = Buffer.from(path, 'utf8');
      if (bytes.length >= SUN_PATH_BYTES || bytes.includes(0)) must('bind', EINVAL);
      const address = unixAddress(bytes);
      const fd = socket(AF_UNIX, SOCK_STREAM_CLOEXEC_NONBLOCK, 0);
      if (fd < 0) return must('socket', koffi.errno());
      // Linux creates the file with the socket's own mode less the umask: narrow from its first moment, and
      // the umask, which all threads share, stays as it is.
      if (fchmod(fd, mode) === 0 && bindCall(fd, address, 2 + bytes.length + 1) === 0) return fd;
      const failed = koffi.errno();
      close(fd);
      return must('bind', failed);
    },
    boundPath(fd) {
      const address = Buffer.alloc(2 + SUN_PATH_BYTES);
      length.writeUInt32LE(address.length);
      if (getsockname(fd, address, length) !== 0) must('getsockname', koffi.errno());
      const bytes = address.subarray(2, length.readUInt32LE());
      const end = bytes.indexOf(0);
      const path = bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
      return path === '' ? null : path;
    },
    peerName(fd) {
      const address = Buffer.alloc(2 + SUN_PATH_BYTES);
      length.writeUInt32LE(address.length);
      if (getpeername(fd, address, length) !== 0) must('getpeername', koffi.errno());
      const bytes = address.subarray(2, length.readUInt32LE());
      return bytes.length > 1 && bytes[0] === 0 ? bytes.toString('latin1', 1) : null;
    },
    sendDatagram(name, message) {
      const bytes = Buffer.from(name, 'utf8');
      // An abstract name is exactly as long as it says; a path ends with a NUL.
      const abstract = bytes[0] === 0x40;
      if (abstract) bytes[0] = 0;
      if (bytes.length >= SUN_PATH_BYTES || bytes.includes(0, 1)) must('sendto', EINVAL);
      const fd = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC_NONBLOCK, 0);
      if (fd < 0) return void must('socket', koffi.errno());
      const size = 2 + bytes.length + (abstract ? 0 : 1);
      const sent = sendto(fd, message, message.length, MSG_NOSIGNAL, unixAddress(bytes), size);
      const failed = sent < 0 ? koffi.errno() : 0;
      close(fd);
      must('sendto', failed);
    },
    closeOnExec(fd) {
      if (fcntl(fd, F_SETFD, FD_CLOEXEC) !== 0) must('fcntl(F_SETFD)', koffi.errno());
    },
    close(fd) {
      close(fd);
    },
    forbidDump() {
      if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) must('prctl(PR_SET_DUMPABLE)', koffi.errno());
    },
    forbidCore() {
      if (setrlimit(RLIMIT_CORE, Buffer.alloc(16)) !== 0) must('setrlimit(RLIMIT_CORE)', koffi.errno());
    },
    keepCapabilitiesToMyself() {
      const failed = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) === 0 ? 0 : koffi.errno();
      // Kernels before 4.3 have none to hand on.
      if (failed !== EINVAL) must('prctl(PR_CAP_AMBIENT)', failed);
    },
    dumpable() {
      return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    },
  };
}

/** A struct sockaddr_un, zeros behind the name. */
function unixAddress(name: Buffer): Buffer {
  const address = Buffer.alloc(2 + SUN_PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  return address;
}

/** Out of a struct statx, the device as stat() and Node's `dev` give it. */
function identityIn(attributes: Buffer): FileIdentity {
  const major = BigInt(attributes.readUInt32LE(136));
  const minor = BigInt(attributes.readUInt32LE(140));
  return { dev: deviceNumber(major, minor), ino: attributes.readBigUInt64LE(32) };
}

function deviceNumber(major: bigint, minor: bigint): bigint {
  return ((major & ~0xfffn) << 32n) | ((major & 0xfffn) << 8n) | ((minor & ~0xffn) << 12n) | (minor & 0xffn);
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, value]) => [value, name]));

/** A system error as Node makes them: `code` and `errno` set. Returns 0 where nothing failed. */
function must(what: string, errno: number): number {
  if (errno === 0) return 0;
  const code = NAMES.get(errno) ?? String(errno);
  throw Object.assign(new Error(`${what}: ${code}`), { code, errno: -errno, syscall: what });
}
