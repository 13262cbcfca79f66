import type { SessionBind } from './agent-request.ts';
import { verifyHostSignature } from './host-key.ts';
import type { UserauthRequest } from './userauth-request.ts';

/** As many hops as OpenSSH's agent remembers (AGENT_MAX_SESSION_IDS). */
const MAX_SESSIONS = 16;

/** A session that a connection was bound to, by the signature of its host. */
export interface BoundSession {
  readonly hostKey: Buffer;
  readonly sessionId: Buffer;
  readonly forwarded: boolean;
}

/** What is known of where a connection leads. */
export interface Binding {
  readonly sessions: readonly BoundSession[];
  /** Why a bind was refused; null where none was. Then nothing is known for sure any more. */
  readonly refused: string | null;
}

export const UNBOUND: Binding = { sessions: [], refused: null };

/**
 * The binding after one more `session-bind`, by OpenSSH's rules: the host must have signed the session id; once
 * bound for a login, a connection takes no other session; one session id belongs to one host.
 */
export function bindSession(binding: Binding, bind: SessionBind): Binding {
  const refuse = (refused: string): Binding => refusing(binding, refused);
  if (!verifyHostSignature(bind.hostKey, bind.sessionId, bind.signature)) {
    return refuse('the host did not sign the session that the connection was to be bound to');
  }
  for (const session of binding.sessions) {
    if (!session.forwarded) return refuse('the connection was bound for a login already');
    if (!session.sessionId.equals(bind.sessionId)) continue;
    if (session.hostKey.equals(bind.hostKey)) return binding;
    return refuse('two hosts claim one session');
  }
  if (binding.sessions.length >= MAX_SESSIONS) return refuse(`the agent was forwarded over ${MAX_SESSIONS} sessions`);
  const added: BoundSession = {
    hostKey: Buffer.from(bind.hostKey),
    sessionId: Buffer.from(bind.sessionId),
    forwarded: bind.forwarding,
  };
  return { ...binding, sessions: [...binding.sessions, added] };
}

/** The binding after a `session-bind` that cannot be read: it leads somewhere, and nobody knows where. */
export function withoutBind(binding: Binding): Binding {
  return refusing(binding, 'it was bound to a session that cannot be read');
}

function refusing(binding: Binding, why: string): Binding {
  return { ...binding, refused: binding.refused ?? why };
}

/** Does the connection come from another host, to which the agent was forwarded? */
export function isForwarded({ sessions }: Binding): boolean {
  return sessions.some(({ forwarded }) => forwarded);
}

/**
 * Why this login may not be signed over this connection; null where it may. A connection without any bind is a
 * program on this machine that is older than OpenSSH 8.9, or none of OpenSSH's: a forwarding client of today binds
 * before it hands anything on.
 */
export function refusalOf(binding: Binding, login: UserauthRequest, allowForwarded: boolean): string | null {
  if (binding.refused !== null) return binding.refused;
  if (isForwarded(binding) && !allowForwarded) return 'the agent was forwarded to another host';
  const last = binding.sessions.at(-1);
  if (last === undefined) return null;
  if (!last.sessionId.equals(login.sessionId))
    return 'the login is for another session than the connection is bound to';
  if (last.forwarded) return 'the login is for the session that forwards the agent';
  if (login.hostKey !== null && !login.hostKey.equals(last.hostKey)) {
    return 'the login is for another host than the connection is bound to';
  }
  return null;
}
