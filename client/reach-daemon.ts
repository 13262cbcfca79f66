import type { Socket } from 'node:net';
import { WardenError } from '../src/kernel/errors.ts';
import { clientSockets } from '../src/kernel/paths.ts';
import { traceHeaders } from '../src/kernel/trace.ts';
import { parseTraceparent } from '../src/kernel/traceparent.ts';
import { parseTracestate } from '../src/kernel/tracestate.ts';
import { ConnectError, type ConnectFault, connectSocket } from '../src/rpc/client/connect.ts';
import { usageError } from './args.ts';
import type { Invocation } from './invocation.ts';
import { pathFacts } from './paths.ts';

const CONNECT_MS = 5_000;

const HINTS: Readonly<Record<ConnectFault, string | undefined>> = {
  missing: undefined,
  nobody_listens: undefined,
  no_permission: "join the socket's group (`socket: group` in warden.yaml), or name another socket with --socket",
  path_too_long: 'use a shorter path: --socket or WARDEN_SOCKET',
  timeout: 'see the log of the daemon: it does not take connections',
  other: 'name the socket of wardend with --socket or WARDEN_SOCKET',
};

const OWN_OR_JOIN =
  "start your own (`wardend`), or join the group of the machine's (`socket: group` in its warden.yaml) and log in again";

/** The sockets to try, in order: --socket, WARDEN_SOCKET, the user's, the system's. */
export function socketsToTry({ args, env }: Invocation): string[] {
  const named = args.string('socket');
  if (named === '') throw usageError('--socket is empty');
  return named === undefined ? clientSockets(env, pathFacts(env)) : [named];
}

export interface ReachedDaemon {
  readonly socket: Socket;
  readonly path: string;
  /** To go with each call. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * A connection to the first daemon that answers. The caller ends it.
 * @throws WardenError daemon_unreachable naming every socket tried
 */
export async function reachDaemon(invocation: Invocation): Promise<ReachedDaemon> {
  const faults: ConnectError[] = [];
  for (const path of socketsToTry(invocation)) {
    try {
      return { socket: await connectSocket(path, CONNECT_MS), path, headers: traceHeader(invocation) };
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      faults.push(error);
    }
  }
  const tried = faults.map(({ path, message }) => `${path} (${message})`).join(' nor ');
  const hint = hintOf(faults);
  throw new WardenError('daemon_unreachable', `no daemon at ${tried}`, hint === undefined ? {} : { hint });
}

/** The mend for sockets that were tried in vain, in their order; undefined: the usual one. */
export function hintOf(faults: readonly Pick<ConnectError, 'fault'>[]): string | undefined {
  // A socket that is there and says no is nearer to the mend than one that is not there.
  const telling = faults.find(({ fault }) => fault !== 'missing') ?? faults[0];
  // Who may not come to the machine's may have forgotten to start their own.
  const own = telling !== faults[0] && telling?.fault === 'no_permission';
  if (own) return OWN_OR_JOIN;
  return telling === undefined ? undefined : HINTS[telling.fault];
}

/** The trace that this command is part of, where its environment names a valid one (TRACEPARENT, TRACESTATE). */
function traceHeader({ env }: Invocation): Record<string, string> {
  const { TRACEPARENT: traceparent = '', TRACESTATE = '' } = env;
  return parseTraceparent(traceparent) === null
    ? {}
    : traceHeaders({ traceparent, tracestate: parseTracestate([TRACESTATE]) });
}
