import type { KeyObject } from 'node:crypto';
import { AgentFault } from './agent-fault.ts';
import {
  ADD_ID_CONSTRAINED,
  ADD_IDENTITY,
  EXTENSION_FAILURE,
  FAILURE,
  IDENTITIES_ANSWER,
  REMOVE_IDENTITY,
  REQUEST_IDENTITIES,
  SIGN_REQUEST,
  SIGN_RESPONSE,
  SUCCESS,
} from './agent-numbers.ts';
import { isPrintable } from './key-line.ts';
import { PRIVATE_CAPACITY, writeCertifiedFields, writePrivateFields } from './private-fields.ts';
import { type PrivateParts, privateParts, wipeParts } from './private-parts.ts';
import { WireError, WireReader, WireWriter } from './wire.ts';

/**
 * The messages of the ssh-agent protocol (draft-ietf-sshm-ssh-agent), without the length before each. Encoders
 * give what is sent; readers take what came back and throw AgentFault `refused` or `protocol`.
 */

/** Of ssh.com's agent, long ago; agents that speak for it still answer so. */
const OTHER_FAILURES = [EXTENSION_FAILURE, 30, 102];

const CONSTRAIN_LIFETIME = 1;
const CONSTRAIN_CONFIRM = 2;

/** Makes an rsa key sign with SHA-512 instead of SHA-1. */
export const RSA_SHA2_512 = 4;

export interface AgentIdentity {
  /** A public key or a certificate, as the agent has it: not checked. */
  readonly blob: Buffer;
  /** "" where it holds anything that does not belong on a terminal. */
  readonly comment: string;
}

export interface Constraints {
  /** After so many whole seconds the agent forgets the key; null keeps it. */
  readonly lifetimeSeconds: number | null;
  /** The agent asks its user before each signature. */
  readonly confirm: boolean;
}

export function encodeRequestIdentities(): Buffer {
  return Buffer.of(REQUEST_IDENTITIES);
}

export function encodeSignRequest(blob: Buffer, data: Buffer, flags: number): Buffer {
  return new WireWriter(blob.length + data.length + 13)
    .uint8(SIGN_REQUEST)
    .string(blob)
    .string(data)
    .uint32(flags)
    .finish();
}

export function encodeRemoveIdentity(blob: Buffer): Buffer {
  return new WireWriter(blob.length + 5).uint8(REMOVE_IDENTITY).string(blob).finish();
}

/** Holds the private key: whoever sends it wipes it. */
export function encodeAddIdentity(key: KeyObject, comment: string, constraints: Constraints): Buffer {
  return encodeAdd(key, comment, constraints, writePrivateFields);
}

/** The private key together with a certificate over it, as ssh-add adds the pair. Holds the private key. */
export function encodeAddCertificate(
  key: KeyObject,
  certificate: Buffer,
  comment: string,
  constraints: Constraints,
): Buffer {
  return encodeAdd(key, comment, constraints, (writer, parts) => writeCertifiedFields(writer, parts, certificate));
}

/** @throws AgentFault */
export function readIdentities(answer: Buffer): AgentIdentity[] {
  return read(answer, IDENTITIES_ANSWER, (reader) => {
    const count = reader.uint32('the number of keys');
    const identities: AgentIdentity[] = [];
    for (let i = 0; i < count; i++) {
      const blob = reader.string('a key');
      const comment = reader.string('a comment').toString('utf8');
      identities.push({ blob, comment: isPrintable(comment) ? comment : '' });
    }
    return identities;
  });
}

/** The signature blob. @throws AgentFault */
export function readSignature(answer: Buffer): Buffer {
  return read(answer, SIGN_RESPONSE, (reader) => reader.string('the signature'));
}

/** @throws AgentFault */
export function readSuccess(answer: Buffer): void {
  read(answer, SUCCESS, () => undefined);
}

function encodeAdd(
  key: KeyObject,
  comment: string,
  constraints: Constraints,
  writeFields: (writer: WireWriter, parts: PrivateParts) => void,
): Buffer {
  const { lifetimeSeconds, confirm } = constraints;
  const constrained = lifetimeSeconds !== null || confirm;
  const parts = privateParts(key);
  const writer = new WireWriter(PRIVATE_CAPACITY).uint8(constrained ? ADD_ID_CONSTRAINED : ADD_IDENTITY);
  writeFields(writer, parts);
  wipeParts(parts);
  writer.string(comment);
  if (lifetimeSeconds !== null) writer.uint8(CONSTRAIN_LIFETIME).uint32(lifetimeOf(lifetimeSeconds));
  if (confirm) writer.uint8(CONSTRAIN_CONFIRM);
  return writer.finish();
}

/** At least a second, since 0 would read as "for ever"; at most what 32 bits hold. */
function lifetimeOf(seconds: number): number {
  return Math.min(Math.max(1, Math.floor(seconds)), 0xffff_ffff);
}

function read<T>(answer: Buffer, expected: number, body: (reader: WireReader) => T): T {
  try {
    const reader = new WireReader(answer);
    const type = reader.uint8('the message type');
    if (type === FAILURE || OTHER_FAILURES.includes(type)) throw new AgentFault('refused', 'the agent refused');
    if (type !== expected) throw new WireError(`the agent answered with message ${type} instead of ${expected}`);
    const value = body(reader);
    reader.end('the answer of the agent');
    return value;
  } catch (error) {
    if (error instanceof WireError) throw new AgentFault('protocol', error.message, error);
    throw error;
  }
}
