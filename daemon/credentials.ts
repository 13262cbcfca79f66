import type { Socket } from 'node:net';
import type { AttestedConnection } from '../src/callers/connection.ts';
import { asWardenError, WardenError } from '../src/kernel/errors.ts';
import { newRequestId } from '../src/kernel/request-id.ts';
import { traceOf } from '../src/kernel/trace.ts';
import type { RequestContext } from '../src/operations/context.ts';
import { type CredentialRequest, deliverCredential } from '../src/operations/deliver-credential.ts';
import { Trail } from '../src/operations/trail.ts';
import { CREDENTIAL_METHOD, limited, type RequestEnd, type RpcDeps } from '../src/rpc/admit.ts';
import { native } from '../src/unix/native.ts';
import { attest, descriptorOf } from './attest.ts';
import { handOver } from './hand-over.ts';
import type { Log } from './log.ts';
import type { LogMeter } from './log-meter.ts';

/** systemd waits for a credential as long as for the start of its unit. */
const DEADLINE_MS = 30_000;
/** systemd's limit for one is a mebibyte; what is larger it refuses, and the start of the unit with it. */
const MORE_THAN_A_CREDENTIAL = 1024 * 1024 + 4096;
const REFUSAL_MS = 5_000;
/** systemd.exec(5), LoadCredential=: what the service manager binds its end to, `@RANDOM/unit/UNIT/CREDENTIAL`. */
const PEER_NAME = /^[^/]{1,64}\/unit\/([A-Za-z0-9:_.\\@-]{1,255})\/([A-Za-z0-9_.-]{1,255})$/;

/** What a peer's abstract name asks for; null where it is no name of systemd's. */
export function parsePeerName(name: string | null): CredentialRequest | null {
  const [, unit, credential] = PEER_NAME.exec(name ?? '') ?? [];
  return unit === undefined || credential === undefined ? null : { unit, name: credential };
}

/**
 * The door that systemd comes in by, for `LoadCredential=NAME:SOCKET`. There is no protocol: the name of the peer is
 * the question, and the answer is the value, then the end. Any process can bind any name, so that root alone is
 * believed; a refusal is recorded, keeps the unit from starting, and gives anybody else not a byte.
 */
export function credentialDoor(
  deps: RpcDeps,
  log: Log,
  strangers: LogMeter,
  ended: (end: RequestEnd) => void,
): (socket: Socket) => void {
  return (socket) => {
    socket.on('error', (error) => log.debug({ code: (error as NodeJS.ErrnoException).code }, 'connection error'));
    const began = deps.services.clock.monotonic();
    let connection: (AttestedConnection & { close(): void }) | null = null;
    let asked: CredentialRequest | null = null;
    let context: RequestContext | null = null;
    let release = (): void => {};
    const end = (why: object, message: string, error: WardenError | null): void => {
      connection?.close();
      release();
      const durationMs = deps.services.clock.monotonic() - began;
      ended({ method: CREDENTIAL_METHOD, context, error, durationMs });
      const metered = strangers.next();
      const ms = Math.round(durationMs * 100) / 100;
      if (metered !== null) log.info({ ...why, uid: connection?.caller.uid, pid: connection?.caller.pid, ms }, message);
    };
    const refuse = (thrown: unknown): void => {
      const error = asWardenError(thrown);
      if (error.code === 'internal') deps.onInternalError(error, CREDENTIAL_METHOD);
      if (connection?.caller.uid === 0 && asked !== null) keepFromStarting(socket);
      else socket.destroy();
      end({ ...asked, reason: error.code, private: error.details.privateDetail }, 'credential refused', error);
    };
    try {
      connection = attest(socket);
      asked = parsePeerName(native().peerName(descriptorOf(socket)));
      const admission = deps.limiter.connect(connection.caller.uid);
      if (!admission.ok) throw limited(admission);
      const leave = deps.enter(deps.world());
      deps.services.counters.requestsInFlight += 1;
      release = () => {
        admission.release();
        leave();
        deps.services.counters.requestsInFlight -= 1;
      };
      context = contextOf(deps, connection, asked, began);
      answer(socket, asked, context).then(() => end({ ...asked }, 'credential handed over', null), refuse);
    } catch (thrown) {
      refuse(thrown);
    }
  };
}

/** @throws WardenError recorded, with nothing written */
async function answer(socket: Socket, asked: CredentialRequest | null, context: RequestContext): Promise<void> {
  const refuse = (error: WardenError): Promise<WardenError> => new Trail('fetch', context).refuse(error);
  if (context.connection.caller.uid !== 0) {
    throw await refuse(new WardenError('caller_not_allowed', 'credentials are for the service manager alone'));
  }
  if (asked === null) {
    throw await refuse(new WardenError('invalid_request', 'the name of the peer is none that systemd gives'));
  }
  const { walked } = await deliverCredential(asked, context);
  try {
    for (const value of walked.fields.values()) await handOver(socket, value.reveal(), context.signal);
  } finally {
    walked.dispose();
  }
}

/**
 * There is no word for no: a socket that closes is an empty credential, with which the unit starts. More than systemd
 * takes is what makes the start fail (243/CREDENTIALS).
 */
function keepFromStarting(socket: Socket): void {
  if (socket.destroyed) return;
  socket.setTimeout(REFUSAL_MS, () => socket.destroy());
  socket.end(Buffer.alloc(MORE_THAN_A_CREDENTIAL, 'refused by wardend\n'), () => socket.destroy());
}

/** The caller is root's service manager; the unit that it speaks for goes on record as the unit. */
function contextOf(
  deps: RpcDeps,
  connection: AttestedConnection,
  asked: CredentialRequest | null,
  began: number,
): RequestContext {
  const unit = connection.caller.uid === 0 && asked !== null ? asked.unit : connection.caller.unit;
  const trace = traceOf([], []);
  return {
    requestId: newRequestId(),
    trace,
    spans: deps.spans(trace, began),
    connection: { ...connection, caller: Object.freeze({ ...connection.caller, unit }) },
    world: deps.world(),
    services: deps.services,
    signal: AbortSignal.timeout(DEADLINE_MS),
  };
}
