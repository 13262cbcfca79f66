import { existsSync } from 'node:fs';
import { wholeFile } from '../src/config/problems.ts';
import { WARDEN_FILE } from '../src/config/read-folder.ts';
import type { ConfigProblem, Snapshot } from '../src/config/snapshot.ts';
import { asWardenError } from '../src/kernel/errors.ts';
import { loadAuthority } from '../src/signing/load-authority.ts';

export interface AuthorityFindings {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

const NOTHING: AuthorityFindings = { problems: [], warnings: [] };

/**
 * Whether the daemon could sign with the keys that `ca:` names, as far as files tell: what a credential or an agent
 * holds is seen by the daemon alone. In dev a key that is missing is made.
 */
export async function checkAuthorityKeys({ settings }: Snapshot, daemonUid: number): Promise<AuthorityFindings> {
  const { backend, posture, ca } = settings;
  const isFile = (key: string): boolean => key.startsWith('/');
  if (backend !== 'local' || !isFile(ca.key)) return NOTHING;
  if (posture === 'dev' && !existsSync(ca.key)) return NOTHING;
  const named = {
    key: ca.key,
    next: ca.next !== null && isFile(ca.next) ? ca.next : null,
    retired: ca.retired.filter(isFile),
  };
  try {
    const authority = await loadAuthority(named, {
      posture,
      uid: daemonUid,
      credentialsDirectory: null,
      agentSocket: null,
    });
    await authority.close();
    return NOTHING;
  } catch (thrown) {
    const error = asWardenError(thrown);
    // Who is not the daemon's user cannot look into its keys, and that is as it should be.
    if (/cannot be read \(EACCES\)/.test(error.message)) {
      return { problems: [], warnings: [`${error.message}: whether the daemon can sign with it is not checked`] };
    }
    return { problems: [wholeFile(WARDEN_FILE, error.message, error.hint)], warnings: [] };
  }
}
