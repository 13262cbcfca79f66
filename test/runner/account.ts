import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CALLER } from './support.ts';

/** Of the account `typist`, which is `CALLER`. */
export const PASSWORD = 'synthetic sesame';
/** `openssl passwd -6` of it. */
const HASH = '$6$typist$Z1u8xMLp1iqdDWTOK/4izuHieV175HpGcd/kWII7Utw/SpOE4vka18rPHIrQgwg/fA1vWXoMhr4lHmMR.LerQ/';

/** A view of the machine in which the caller has an account with a password and may use sudo; the machine itself stays as it is. */
export interface AccountView {
  /** In front of a command line. */
  readonly through: readonly string[];
  close(): Promise<void>;
}

/** As root. */
export async function accountView(): Promise<AccountView> {
  const folder = mkdtempSync(join(tmpdir(), 'warden-account-'));
  chmodSync(folder, 0o755);
  const laid = (name: string, text: string, mode: number): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return `mount --bind ${path} /etc/${name}`;
  };
  const mounts = [
    laid(
      'passwd',
      `${readFileSync('/etc/passwd', 'utf8')}typist:x:${CALLER.uid}:${CALLER.gid}::/nonexistent:/bin/sh\n`,
      0o644,
    ),
    laid('shadow', `${readFileSync('/etc/shadow', 'utf8')}typist:${HASH}:20000:0:99999:7:::\n`, 0o600),
    // Nothing that sudo would write outlives the test.
    laid('sudoers', 'Defaults lecture=never, timestamp_timeout=0, !syslog\ntypist ALL=(ALL) SETENV: ALL\n', 0o440),
  ];
  const holder = spawn('unshare', ['--mount', '--', 'sh', '-c', `set -e; ${mounts.join('; ')}; echo laid; exec cat`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  await Promise.race([once(holder.stdout, 'data'), ended.then(() => Promise.reject(new Error('no mounts were made')))]);
  return {
    through: ['nsenter', '--target', `${holder.pid}`, '--mount', '--'],
    async close() {
      holder.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
