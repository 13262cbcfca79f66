import { WardenError } from '../kernel/errors.ts';
import { Secret } from '../kernel/secret.ts';
import type { CommandEnd, CommandRunner, RunningCommand } from './command-runner.ts';
import { toolEnvironment } from './tool-environment.ts';
import type { ToolRunner } from './tool-runner.ts';
import { ToolSlots } from './tool-slots.ts';

export interface SpawnedToolOptions {
  readonly runner: CommandRunner;
  /** Folders where bare names are looked for, and the tool's PATH. */
  readonly path: readonly string[];
  /** BAO_ADDR and the like: never the caller's. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly maxBytes?: number;
}

const TIMEOUT_MS = 25_000;
const MAX_BYTES = 1024 * 1024;

/** Runs tools by the same runner as commands, where the daemon itself can't become the caller. */
export function createSpawnedToolRunner(options: SpawnedToolOptions): ToolRunner {
  const { runner, path, timeoutMs = TIMEOUT_MS, maxBytes = MAX_BYTES } = options;
  const slots = new ToolSlots();
  const find: ToolRunner['find'] = ({ argv: [name = ''], connection }) =>
    runner.find({ name, searchPath: path.join(':'), connection }).catch(asToolFailure);
  return {
    find,
    async run({ argv, connection, token, signal }) {
      const [name = ''] = argv;
      const program = await find({ argv, connection });
      const env = new Map<string, string | Secret>(
        Object.entries(await toolEnvironment(connection.caller.uid, path, options.env)),
      );
      if (token !== null) env.set('BAO_TOKEN', token);
      if (signal.aborted) throw new WardenError('deadline_exceeded', 'nobody waits for the tool any more');
      return await slots.run(connection.caller.uid, async () => {
        const command = await runner.start({
          program,
          copy: null,
          argv,
          env,
          deliveries: [],
          stdin: Secret.fromString(''),
          terminal: null,
          jobControl: false,
          network: true,
          connection,
        });
        return await collect(command, { name, timeoutMs, maxBytes, signal });
      });
    },
  };
}

/** A name that the route has, and not the caller: its file is what is wrong. */
function asToolFailure(thrown: unknown): never {
  if (thrown instanceof WardenError && /^command_not_/.test(thrown.code)) {
    throw new WardenError('tool_failed', thrown.message, {
      hint: 'install it where every user reaches it, or write its whole path into tool.argv of the route',
      cause: thrown,
    });
  }
  throw thrown;
}

interface Bounds {
  readonly name: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

async function collect(command: RunningCommand, { name, timeoutMs, maxBytes, signal }: Bounds): Promise<Secret> {
  const chunks: Buffer[] = [];
  let length = 0;
  let failure: string | null = null;
  const fail = (message: string): void => {
    failure ??= message;
    command.signal('SIGKILL');
    command.stdout.destroy();
    command.stderr?.destroy();
  };
  const timer = setTimeout(() => fail(`${name} gave no value within ${timeoutMs / 1000} s`), timeoutMs);
  const onAbort = (): void => fail(`${name} was stopped: nobody waits for it any more`);
  signal.addEventListener('abort', onAbort);
  // Nobody knows what a tool writes there.
  command.stderr?.resume();
  command.stdout.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > maxBytes) fail(`${name} wrote more than ${maxBytes} bytes`);
    else chunks.push(chunk);
  });
  const end = await command.ended;
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
  const output = new Secret(Buffer.concat(chunks));
  for (const chunk of chunks) chunk.fill(0);
  const why = failure ?? howItFailed(name, end);
  if (why === null) return output;
  output.dispose();
  throw new WardenError('tool_failed', why);
}

function howItFailed(name: string, end: CommandEnd | null): string | null {
  if (end === null) return `${name} was lost with the spawner that had started it`;
  const { exitCode, signal } = end;
  return exitCode === 0 ? null : `${name} ended with ${signal ?? `exit code ${exitCode}`}`;
}
