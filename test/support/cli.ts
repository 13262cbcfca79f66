import { spawn } from 'node:child_process';
import { builtPrograms } from './built.ts';
import { secretIn } from './canary.ts';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to stdin, which is then closed; absent: stdin is empty. */
  readonly stdin?: string | Buffer;
  /** In front of the command line: `setpriv --reuid=…`. */
  readonly through?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Runs the bundled `warden` as a shell would, in an environment that holds nothing of the developer's. */
export function warden(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { cwd, env = {}, stdin, through = [], signal } = options;
  const [file = '', ...rest] = [...through, process.execPath, builtPrograms().warden, ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      cwd,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: cwd ?? '/nonexistent',
        XDG_CACHE_HOME: '/proc',
        LC_ALL: 'C.UTF-8',
        ...env,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      signal,
    });
    const texts = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      texts.stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      texts.stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      // What is fetched goes to stdout; an error holds no value, whatever failed.
      const what = secretIn(Buffer.from(texts.stderr));
      if (what !== null) reject(new Error(`${what} stands in stderr of: warden ${args.join(' ')}`));
      else resolve({ code, ...texts });
    });
    // A program that does not read its stdin closes it under us: that is its right.
    child.stdin.on('error', () => {});
    child.stdin.end(stdin ?? '');
  });
}

/** The one object that --json prints. */
export function json(result: CliResult): Record<string, unknown> {
  return JSON.parse(result.stdout) as Record<string, unknown>;
}
