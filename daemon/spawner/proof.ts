import { readFileSync } from 'node:fs';
import { WardenError } from '../../src/kernel/errors.ts';
import { native } from '../../src/unix/native.ts';
import { SO_ACCEPTCONN, SO_DOMAIN, SO_TYPE } from '../../src/unix/system-calls.ts';
import { type AttestedConnection, attestDescriptor } from '../attest.ts';
import { descriptorCalls } from '../runner/descriptor-calls.ts';

export interface ProofRules {
  /** The path that wardend listens at. */
  readonly wardendSocket: string;
  readonly wardendUid: number;
  /** Whether root may have commands started. */
  readonly allowRoot: boolean;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;

/**
 * The live process at the other end of a connection to wardend, by the kernel's word alone: wardend may lie.
 *
 * A socket whose other end has no name was not made by connecting to somebody's listening socket (those have names),
 * so its peer credentials are not those of some service that anybody can connect to: it was accepted, or is half of a
 * pair, and then its peer is whoever made the pair: the one uid that is refused. It carries wardend's path, which
 * only the process that owns the path's folder can bind. So the peer is a process that called connect() there.
 * @throws WardenError caller_not_allowed | caller_gone | caller_changed
 */
export function callerBehind(fd: number, { wardendSocket, wardendUid, allowRoot }: ProofRules): AttestedConnection {
  const kernel = native();
  const is = [SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN].map((option) => kernel.socketOption(fd, option));
  if (is[0] !== AF_UNIX || is[1] !== SOCK_STREAM || is[2] !== 0) throw refused('what was passed is no connection');
  if (kernel.boundPath(fd) !== wardendSocket) throw refused('the connection was not accepted on the socket of wardend');
  if (isNamed(fd)) throw refused('the connection was not accepted, but made');
  const connection = attestDescriptor(fd, kernel);
  try {
    const { uid, pid } = connection.caller;
    if (uid === wardendUid) throw refused('wardend itself asks for nothing');
    if (uid === 0 && !allowRoot) throw refused('commands as root are not allowed: see --allow-root');
    if (!stillIs(pid, uid)) throw refused('the caller has become another user');
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

function isNamed(fd: number): boolean {
  try {
    return descriptorCalls().peerHasName(fd);
  } catch {
    // ENOTCONN: nobody is there any more.
    throw new WardenError('caller_gone', 'the calling process has exited');
  }
}

/** A pid alone could be somebody else's by now on kernels that give no pidfd for a connection. */
function stillIs(pid: number, uid: number): boolean {
  try {
    const ids = /^Uid:\s*(\d+)\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return ids?.[1] === String(uid) || ids?.[2] === String(uid);
  } catch {
    throw new WardenError('caller_gone', 'the calling process has exited');
  }
}

function refused(why: string): WardenError {
  return new WardenError('caller_not_allowed', why, { hint: 'see the log of wardend-spawner' });
}
