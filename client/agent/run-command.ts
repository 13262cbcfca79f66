import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { usageError } from '../args.ts';

/**
 * Runs a command with an environment until it ends: its exit code, 128+n for signal n, as a shell would say.
 * @throws WardenError invalid_request where it cannot be started
 */
export function runCommand(
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const [file = '', ...args] = words;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', env: { ...env } });
    // A terminal sends these to both; the command decides what they mean.
    const ignore = (): void => {};
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
    process.on('SIGINT', ignore);
    process.on('SIGQUIT', ignore);
    process.on('SIGTERM', pass);
    process.on('SIGHUP', pass);
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(usageError(`cannot run ${file}: ${error.code ?? error.message}`, 'name a program that is there')),
    );
    child.on('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
