import {
  ADD_ID_CONSTRAINED,
  ADD_IDENTITY,
  EXTENSION,
  EXTENSION_FAILURE,
  EXTENSION_RESPONSE,
  FAILURE,
  IDENTITIES_ANSWER,
  LOCK,
  REMOVE_ALL_IDENTITIES,
  REMOVE_ALL_RSA_IDENTITIES,
  REMOVE_IDENTITY,
  REQUEST_IDENTITIES,
  SIGN_REQUEST,
  SIGN_RESPONSE,
  SUCCESS,
  UNLOCK,
} from './agent-numbers.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

/** The agent's end of the protocol: reads what clients ask, and writes the answers. */

const SESSION_BIND = 'session-bind@openssh.com';
const QUERY = 'query';
/** Ours: what is offered, and why something is not. */
const STATUS_EXTENSION = 'status@wardend';
const MAX_NAME = 256;
/** As much as OpenSSH takes (AGENT_MAX_SID_LEN); a session id is a hash. */
const MAX_SESSION_ID = 128;

/** What `session-bind@openssh.com` says: this connection serves that session. Views into the message. */
export interface SessionBind {
  readonly hostKey: Buffer;
  readonly sessionId: Buffer;
  readonly signature: Buffer;
  /** The session forwards the agent to the host, instead of logging in by it. */
  readonly forwarding: boolean;
}

export type AgentRequest =
  | { readonly kind: 'identities' }
  | { readonly kind: 'sign'; readonly blob: Buffer; readonly data: Buffer; readonly flags: number }
  | { readonly kind: 'add' }
  | { readonly kind: 'remove'; readonly blob: Buffer }
  | { readonly kind: 'remove_all' }
  /** Nothing is to be done, and that is done. */
  | { readonly kind: 'no_op' }
  | { readonly kind: 'lock' | 'unlock'; readonly passphrase: Buffer }
  | { readonly kind: 'session_bind'; readonly bind: SessionBind }
  /** The connection leads somewhere, and it is not to be read where. */
  | { readonly kind: 'malformed_bind' }
  | { readonly kind: 'query' }
  | { readonly kind: 'status' }
  | { readonly kind: 'other_extension' }
  | { readonly kind: 'unknown'; readonly type: number };

/** What follows them is not looked at. */
const OPEN_ENDED: readonly AgentRequest['kind'][] = ['add', 'malformed_bind', 'other_extension', 'unknown'];

/** One message without its length. What it holds are views. @throws WireError where it is malformed or something follows */
export function readAgentRequest(message: Buffer): AgentRequest {
  const reader = new WireReader(message);
  const type = reader.uint8('the message type');
  const request = readBody(type, reader);
  if (!OPEN_ENDED.includes(request.kind)) reader.end('the message');
  return request;
}

function readBody(type: number, reader: WireReader): AgentRequest {
  switch (type) {
    case REQUEST_IDENTITIES:
      return { kind: 'identities' };
    case SIGN_REQUEST: {
      const blob = reader.string('the key');
      const data = reader.string('the data');
      return { kind: 'sign', blob, data, flags: reader.uint32('the flags') };
    }
    case ADD_IDENTITY:
    case ADD_ID_CONSTRAINED:
      return { kind: 'add' };
    case REMOVE_IDENTITY:
      return { kind: 'remove', blob: reader.string('the key') };
    case REMOVE_ALL_IDENTITIES:
      return { kind: 'remove_all' };
    case REMOVE_ALL_RSA_IDENTITIES:
      return { kind: 'no_op' };
    case LOCK:
      return { kind: 'lock', passphrase: reader.string('the passphrase') };
    case UNLOCK:
      return { kind: 'unlock', passphrase: reader.string('the passphrase') };
    case EXTENSION:
      return readExtension(reader);
    default:
      return { kind: 'unknown', type };
  }
}

function readExtension(reader: WireReader): AgentRequest {
  const name = reader.utf8('the name of the extension', MAX_NAME);
  if (name === QUERY) return { kind: 'query' };
  if (name === STATUS_EXTENSION) return { kind: 'status' };
  if (name !== SESSION_BIND) return { kind: 'other_extension' };
  try {
    return readSessionBind(reader);
  } catch (error) {
    if (error instanceof WireError) return { kind: 'malformed_bind' };
    throw error;
  }
}

function readSessionBind(reader: WireReader): AgentRequest {
  const hostKey = reader.string('the host key');
  const sessionId = reader.string('the session id', MAX_SESSION_ID);
  const signature = reader.string('the signature of the host');
  const forwarding = reader.uint8('the forwarding flag');
  if (sessionId.length === 0) throw new WireError('the session id is empty');
  reader.end('the bind');
  return { kind: 'session_bind', bind: { hostKey, sessionId, signature, forwarding: forwarding !== 0 } };
}

export interface OfferedIdentity {
  readonly blob: Buffer;
  readonly comment: string;
}

export const failureAnswer = (): Buffer => Buffer.of(FAILURE);
export const successAnswer = (): Buffer => Buffer.of(SUCCESS);
export const extensionFailureAnswer = (): Buffer => Buffer.of(EXTENSION_FAILURE);

export function identitiesAnswer(identities: readonly OfferedIdentity[]): Buffer {
  const writer = new WireWriter().uint8(IDENTITIES_ANSWER).uint32(identities.length);
  for (const { blob, comment } of identities) writer.string(blob).string(comment);
  return writer.finish();
}

export function signatureAnswer(signatureBlob: Buffer): Buffer {
  return new WireWriter(signatureBlob.length + 5).uint8(SIGN_RESPONSE).string(signatureBlob).finish();
}

/** The extensions that `readAgentRequest` knows. */
export function queryAnswer(): Buffer {
  return new WireWriter()
    .uint8(EXTENSION_RESPONSE)
    .string(QUERY)
    .string(QUERY)
    .string(SESSION_BIND)
    .string(STATUS_EXTENSION)
    .finish();
}

/** Both ways: the request with an empty text, the answer with JSON in it. */
export function statusAnswer(json: string): Buffer {
  return new WireWriter(json.length + 64).uint8(EXTENSION_RESPONSE).string(STATUS_EXTENSION).string(json).finish();
}

export function encodeStatusRequest(): Buffer {
  return new WireWriter(64).uint8(EXTENSION).string(STATUS_EXTENSION).finish();
}

/** The JSON of `statusAnswer`; null where the agent is none of ours. @throws WireError */
export function readStatusAnswer(message: Buffer): string | null {
  const reader = new WireReader(message);
  if (reader.uint8('the message type') !== EXTENSION_RESPONSE) return null;
  if (reader.utf8('the name of the extension', MAX_NAME) !== STATUS_EXTENSION) return null;
  const json = reader.utf8('the status');
  reader.end('the status');
  return json;
}
