import { execFile } from 'node:child_process';

const PATH = '/usr/bin/ssh-keygen';

export interface KeygenAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs the real ssh-keygen, in UTC and without an agent. A machine without it fails the test that needs it, so
 * that nothing is skipped unseen.
 */
export function sshKeygen(args: readonly string[]): Promise<KeygenAnswer> {
  const env = { PATH: process.env.PATH ?? '', TZ: 'UTC', LC_ALL: 'C.UTF-8', HOME: '/nonexistent' };
  return new Promise((resolve, reject) => {
    const child = execFile(PATH, [...args], { env, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error?.code === 'ENOENT') {
        reject(new Error(`these tests compare with OpenSSH and ${PATH} is missing: install openssh-client`));
        return;
      }
      if (error !== null && typeof error.code !== 'number') {
        reject(new Error(`ssh-keygen did not end by itself: ${error.message}`));
        return;
      }
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
    // Nothing is ever asked; what would ask reads the end of its input.
    child.stdin?.destroy();
  });
}

/** The same, where anything but success is a fault of the test. */
export async function sshKeygenOk(args: readonly string[]): Promise<string> {
  const answer = await sshKeygen(args);
  if (answer.code !== 0) throw new Error(`ssh-keygen ${args.join(' ')} ended with ${answer.code}: ${answer.stderr}`);
  return answer.stdout;
}
