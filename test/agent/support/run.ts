import { execFile } from 'node:child_process';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const DEADLINE_MS = 30_000;

/** Runs a program of OpenSSH's, or one that uses it, with nothing of the developer's around it. */
export function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd?: string,
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      {
        env: { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8', ...env },
        timeout: DEADLINE_MS,
        ...(cwd !== undefined && { cwd }),
      },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') {
          reject(new Error(`${file} ${args.join(' ')} did not end by itself: ${error.message} ${stderr}`));
          return;
        }
        resolve({
          code: typeof error?.code === 'number' ? error.code : 0,
          stdout,
          stderr: stderr.replaceAll('\r', ''),
        });
      },
    );
    child.stdin?.end();
  });
}
