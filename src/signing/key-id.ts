import { createHash } from 'node:crypto';
import { WardenError } from '../kernel/errors.ts';
import { type EnvPosture, SYNTHETIC_PREFIX } from '../kernel/posture.ts';

/** Longest key id, in bytes: what syslog lines and other readers of certificates take without cutting. */
export const MAX_KEY_ID = 255;

const UUID_LENGTH = 36;
const DIGEST_LENGTH = 'sha256:'.length + 32;
const LONGEST_ACTOR = MAX_KEY_ID - SYNTHETIC_PREFIX.length - UUID_LENGTH - DIGEST_LENGTH - 2;

/**
 * A key id has three parts between slashes, so an actor's name must not bring its own. The inventory checks
 * names too; this holds whatever it lets through.
 * @throws WardenError config_invalid
 */
export function checkActorName(name: string): void {
  if (name.length <= LONGEST_ACTOR && /^[\x21-\x2e\x30-\x7e]+$/.test(name)) return;
  throw new WardenError('config_invalid', 'the name of the actor does not fit into a key id', {
    hint: `name actors in at most ${LONGEST_ACTOR} printable ASCII characters without space and slash`,
    privateDetail: JSON.stringify(name),
  });
}

export interface KeyIdParts {
  readonly actor: string;
  readonly requestId: string;
  /** Null where no decision point was asked. */
  readonly decisionId: string | null;
  readonly posture: EnvPosture;
}

/** `<actor>/<request id>/<decision id or ->`, printable ASCII without spaces, at most 255 bytes; labelled in dev. */
export function formatKeyId(parts: KeyIdParts): string {
  const label = parts.posture === 'dev' ? SYNTHETIC_PREFIX : '';
  const head = `${label}${parts.actor}/${parts.requestId}/`;
  return head + (parts.decisionId === null ? '-' : decisionPart(parts.decisionId, MAX_KEY_ID - head.length));
}

/**
 * A decision point's id is its own affair, and sshd prints key ids into its log: an id that is too long, or
 * holds what could forge a log line, or reads as "none", stands there as its digest. The ledger keeps the id
 * as given, so that the digest finds it.
 */
function decisionPart(id: string, room: number): string {
  if (id.length <= room && id !== '-' && /^[\x21-\x7e]+$/.test(id)) return id;
  return `sha256:${createHash('sha256').update(id, 'utf8').digest('hex').slice(0, 32)}`;
}
