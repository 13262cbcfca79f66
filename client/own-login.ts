import { userInfo } from 'node:os';

export interface Login {
  readonly uid: number;
  /** Empty where this uid is in no user database, as in many containers. */
  readonly username: string;
  readonly shell: string | null;
}

/** Who runs this program, as far as the machine knows. */
export function ownLogin(): Login {
  try {
    const { uid, username, shell } = userInfo();
    return { uid, username, shell };
  } catch {
    return { uid: process.getuid?.() ?? -1, username: '', shell: null };
  }
}
