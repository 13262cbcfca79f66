import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Caller } from '../callers/caller.ts';
import { WardenError } from '../kernel/errors.ts';
import { Secret } from '../kernel/secret.ts';
import { type Identity, whomToBecome } from './become.ts';
import { toolEnvironment } from './tool-environment.ts';
import type { ToolRunner } from './tool-runner.ts';
import { ToolSlots } from './tool-slots.ts';

/** With the daemon's own ids. */
export interface ProcessToolOptions extends Identity {
  /** Folders where bare names are looked for, and the tool's PATH. */
  readonly path: readonly string[];
  /** BAO_ADDR and the like: never the caller's. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

const TIMEOUT_MS = 25_000;
const MAX_BYTES = 1024 * 1024;
const SETPRIV = '/usr/bin/setpriv';

/**
 * Runs tools as the caller: its uid, gid, groups and working folder, an environment that holds nothing of the
 * daemon's, no stdin, and stderr thrown away, since nobody knows what a tool writes there. Its process group ends
 * with the request.
 */
export function createToolRunner(options: ProcessToolOptions): ToolRunner {
  const { timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options;
  const slots = new ToolSlots();
  return {
    async find({ argv: [name = ''], connection: { caller } }) {
      becoming(caller, options);
      return await find(name, options.path);
    },
    async run({ argv, connection: { caller }, token, signal }) {
      const identity = becoming(caller, options);
      const [name = '', ...args] = argv;
      const program = await find(name, options.path);
      const cwd = await folderOf(caller.pid);
      const env = await toolEnvironment(caller.uid, options.path, options.env);
      if (signal.aborted) throw new WardenError('deadline_exceeded', 'nobody waits for the tool any more');
      return await slots.run(caller.uid, async () => {
        const [file = '', ...rest] = [...identity, program, ...args];
        const child = spawn(file, rest, {
          cwd,
          env: { ...env, ...tokenVariable(token) },
          stdio: ['ignore', 'pipe', 'ignore'],
          // A process group of its own, so that what the tool started ends with it.
          detached: true,
        });
        return await collect(child, { name, timeoutMs, maxBytes, signal });
      });
    },
  };
}

/** What stands before the command line so that it runs as the caller. @throws WardenError route_unusable | caller_confined */
function becoming(caller: Caller, own: ProcessToolOptions): readonly string[] {
  const identity = whomToBecome(caller, own);
  if (identity === null) return [];
  const { uid, gid } = identity;
  const groups = identity.groups.length === 0 ? ['--clear-groups'] : ['--groups', identity.groups.join(',')];
  // Node's own uid option would leave no groups at all.
  return [SETPRIV, '--reuid', String(uid), '--regid', String(gid), ...groups, '--pdeathsig', 'KILL', '--'];
}

async function find(name: string, path: readonly string[]): Promise<string> {
  const candidates = name.startsWith('/') ? [name] : path.map((folder) => join(folder, name));
  for (const candidate of candidates) {
    if (await isProgram(candidate)) return candidate;
  }
  throw new WardenError('tool_failed', `there is no program ${name}`, {
    hint: `install it in one of ${path.join(', ')}, or write its whole path into tool.argv of the route`,
  });
}

/** A folder can be "executed" as well, by access(2) alone. */
async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The caller's own folder by the kernel's link to it, so that nobody moves another one under its name. */
async function folderOf(pid: number): Promise<string> {
  const link = `/proc/${pid}/cwd`;
  return stat(link).then(
    () => link,
    () => '/',
  );
}

function tokenVariable(token: Secret | null): Record<string, string> {
  return token === null ? {} : { BAO_TOKEN: token.reveal().toString('latin1') };
}

interface Bounds {
  readonly name: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

function collect(child: ChildProcess, { name, timeoutMs, maxBytes, signal }: Bounds): Promise<Secret> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let failure: WardenError | null = null;
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
      // A grandchild in a group of its own may hold the pipe open for ever.
      child.stdout?.destroy();
    };
    const fail = (message: string, cause?: unknown): void => {
      failure ??= new WardenError('tool_failed', message, cause === undefined ? {} : { cause });
      kill();
    };
    const onAbort = (): void => fail(`${name} was stopped: nobody waits for it any more`);
    const timer = setTimeout(() => fail(`${name} gave no value within ${timeoutMs / 1000} s`), timeoutMs);
    signal.addEventListener('abort', onAbort);
    child.stdout?.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) fail(`${name} wrote more than ${maxBytes} bytes`);
      else chunks.push(chunk);
    });
    child.once('error', (cause: NodeJS.ErrnoException) =>
      fail(`${name} could not be started (${cause.code ?? 'unknown'})`),
    );
    child.once('close', (code, killedBy) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      kill();
      const output = new Secret(Buffer.concat(chunks));
      for (const chunk of chunks) chunk.fill(0);
      if (failure === null && code !== 0) {
        failure = new WardenError('tool_failed', `${name} ended with ${killedBy ?? `exit code ${code}`}`);
      }
      if (failure === null) return resolve(output);
      output.dispose();
      reject(failure);
    });
  });
}
