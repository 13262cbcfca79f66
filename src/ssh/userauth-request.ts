import { WireError, WireReader } from './wire.ts';

const SSH_MSG_USERAUTH_REQUEST = 50;
const MAX_WORD = 256;

/** What a client signs to log in by a public key (RFC 4252, section 7). Views into the data. */
export interface UserauthRequest {
  readonly sessionId: Buffer;
  readonly user: string;
  /** The key or certificate that is logged in with. */
  readonly blob: Buffer;
  /** `publickey-hostbound-v00@openssh.com` names the host key too; null for plain `publickey`. */
  readonly hostKey: Buffer | null;
}

/** @throws WireError where the data is anything else: nothing that is signed as a login means something else elsewhere */
export function readUserauthRequest(data: Buffer): UserauthRequest {
  const reader = new WireReader(data);
  const sessionId = reader.string('the session id');
  if (reader.uint8('the message type') !== SSH_MSG_USERAUTH_REQUEST) throw new WireError('it is no login');
  const user = reader.utf8('the user name', MAX_WORD);
  if (reader.utf8('the service', MAX_WORD) !== 'ssh-connection') throw new WireError('it is for another service');
  const method = reader.utf8('the method', MAX_WORD);
  if (method !== 'publickey' && method !== 'publickey-hostbound-v00@openssh.com') {
    throw new WireError('it is another way to log in');
  }
  if (reader.uint8('the flag') !== 1) throw new WireError('no signature belongs to it');
  reader.string('the algorithm', MAX_WORD);
  const blob = reader.string('the key');
  const hostKey = method === 'publickey' ? null : reader.string('the host key');
  reader.end('the login');
  if (sessionId.length === 0) throw new WireError('the session id is empty');
  return { sessionId, user, blob, hostKey };
}
