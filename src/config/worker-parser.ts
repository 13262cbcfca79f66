import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  type ConfigParser,
  type ParsedInventory,
  type ParsedRoutes,
  type ParsedSettings,
  ParserFailure,
} from './parser.ts';
import type { Answer, Job, SlicedList } from './worker-messages.ts';

export interface WorkerParserOptions {
  /** The bundled worker; default: `config-worker.mjs` beside the running program. */
  readonly url?: URL;
  /** Milliseconds after which a job is given up and the worker ended. */
  readonly timeoutMs?: number;
  /** Milliseconds without a job after which the worker ends and its memory goes back. */
  readonly idleMs?: number;
  /** Bounds what a hostile or broken file costs, in MiB: the worker dies, the daemon does not. */
  readonly heapMiB?: number;
}

/** A parse makes many objects that live until its end: a small young generation would copy them again and again. */
const YOUNG_MIB = 64;

/** Starts its thread before the first job, so that both are ready at the same time. */
export interface WorkerParser extends ConfigParser {
  warm(): void;
}

/** Parses in a worker thread, so that the event loop never waits for a file. */
export function workerParser(options: WorkerParserOptions = {}): WorkerParser {
  const {
    url = new URL('./config-worker.mjs', import.meta.url),
    timeoutMs = 120_000,
    idleMs = 1_000,
    heapMiB = 1024,
  } = options;
  let worker: Worker | null = null;
  let idle: NodeJS.Timeout | undefined;
  let last: Promise<unknown> = Promise.resolve();

  const start = (): Worker => {
    const started = new Worker(url, {
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: heapMiB, maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    started.on('exit', () => {
      if (worker === started) worker = null;
    });
    // A failure between two jobs must not end the daemon: the next job starts a new worker.
    started.on('error', () => {});
    return started;
  };
  const end = async (): Promise<void> => {
    const ended = worker;
    worker = null;
    await ended?.terminate();
  };
  const run = async (job: Job): Promise<Sliced> => {
    clearTimeout(idle);
    worker ??= start();
    try {
      return await exchange(worker, job, timeoutMs);
    } catch (thrown) {
      await end();
      throw thrown;
    } finally {
      idle = setTimeout(() => void end(), idleMs);
      idle.unref();
    }
  };
  // One job at a time: the store asks so anyway, and answers carry no job number.
  const queue = (job: Job): Promise<Sliced> => {
    const next = last.then(() => run(job));
    last = next.catch(() => undefined);
    return next;
  };
  return {
    warm() {
      worker ??= start();
      worker.unref();
    },
    settings: async (source, configDir) => whole<ParsedSettings>(await queue({ kind: 'settings', source, configDir })),
    inventory: async (source, context) => whole<ParsedInventory>(await queue({ kind: 'inventory', source, context })),
    routes: async (source, context) => whole<ParsedRoutes>(await queue({ kind: 'routes', source, context })),
    factsHold: async (record) => (await queue({ kind: 'facts', record })).value === true,
    close: async () => {
      clearTimeout(idle);
      await last;
      clearTimeout(idle);
      await end();
    },
  };
}

interface Sliced {
  readonly value: unknown;
  readonly lists: ReadonlyMap<SlicedList, readonly unknown[]>;
}

async function exchange(worker: Worker, job: Job, timeoutMs: number): Promise<Sliced> {
  const lists = new Map<SlicedList, unknown[]>();
  let onEvent: (event: Answer | ParserFailure) => void = () => {};
  const onMessage = (answer: Answer): void => onEvent(answer);
  const onError = (cause: Error): void =>
    onEvent(new ParserFailure(isOutOfMemory(cause) ? 'it needs too much memory' : 'the parser failed', { cause }));
  const onExit = (): void => onEvent(new ParserFailure('the parser ended'));
  const timer = setTimeout(() => onEvent(new ParserFailure(`it took longer than ${timeoutMs} ms`)), timeoutMs);
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  worker.ref();
  try {
    for (let next: Job = job; ; next = { kind: 'more' }) {
      const answer = await new Promise<Answer>((resolve, reject) => {
        onEvent = (event) => (event instanceof Error ? reject(event) : resolve(event));
        worker.postMessage(next);
      });
      if (answer.kind === 'done') return { value: answer.value, lists };
      const list = lists.get(answer.list) ?? [];
      lists.set(answer.list, list);
      for (const entry of answer.entries) list.push(entry);
      // Lets other work in between: messages that wait are otherwise delivered in one turn.
      await nextTurn();
    }
  } finally {
    clearTimeout(timer);
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    worker.unref();
  }
}

// The worker is this program's own code: what it sends has the shape of what it parsed.
function whole<Parse extends object>(sliced: Sliced): Parse {
  return { ...(sliced.value as Parse), ...Object.fromEntries(sliced.lists) };
}

function isOutOfMemory(cause: Error): boolean {
  return 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
}
