import type { Secret } from '../kernel/secret.ts';
import type { LoginMethod } from './settings.ts';

/** A token, and the name by which the record may know it. */
export interface HeldToken {
  readonly secret: Secret;
  readonly accessor: string;
}

export interface TokenStatus {
  /**
   * `ok`: a token is held. `starting`: the first login is under way. `retrying`: OpenBao did not answer and is
   * asked again. `refused`: OpenBao said no; it is asked again when a credential file changed or at `retry()`.
   */
  readonly state: 'starting' | 'ok' | 'retrying' | 'refused' | 'closed';
  readonly method: LoginMethod;
  /** "" where no token is held. */
  readonly accessor: string;
  /** Milliseconds; null where no token is held, or it never expires. */
  readonly expiresInMs: number | null;
  readonly logins: number;
  readonly renewals: number;
  /** The last failure, a sentence; "" after a success. For administrators: it may name files. */
  readonly fault: string;
}

/** Where calls get the daemon's token from. Shared by whatever speaks to OpenBao in the daemon's name. */
export interface TokenSource {
  /**
   * A token that is good as far as is known. Asks OpenBao only where no attempt failed before.
   * @throws OpenBaoFault: `token_invalid` where the login is refused, else what passes
   */
  current(): Promise<HeldToken>;
  /** OpenBao did not take this token in a call (403 `token_invalid`): another is got, unless it came just now. */
  rejected(token: HeldToken): void;
  /** Somebody mended something: what failed last, refused or pausing, is tried once more now. */
  retry(): void;
  status(): TokenStatus;
  /** Gives a token of our own back. */
  close(): Promise<void>;
}

/** For administrators: which login was refused, and what OpenBao said to it. */
export function refusedLogin({ method, fault }: TokenStatus): string {
  return `OpenBao refuses the daemon's login by ${method}: ${fault}`;
}

export const MEND_LOGIN =
  'mend the files of openbao.login, or the role in OpenBao and then `warden reload`; nothing is tried until then';

/** For administrators: what ails a login whose token is still good; null where nothing does. */
export function ailingLogin(status: TokenStatus): string | null {
  const { state, accessor, expiresInMs, fault } = status;
  if (accessor === '' || fault === '' || state === 'closed') return null;
  const what = state === 'refused' ? refusedLogin(status) : `the daemon's token cannot be renewed: ${fault}`;
  return expiresInMs === null ? what : `${what}; the token it has is good for ${Math.ceil(expiresInMs / 60_000)} min`;
}
