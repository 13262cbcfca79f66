import { setTimeout as pause } from 'node:timers/promises';

/** What the service manager that started the daemon hears of it. Where none did, nothing is said. */
export interface ServiceManager {
  /** Milliseconds between two signs of life that it wants at most; null where it wants none. */
  readonly watchdogMs: number | null;
  /** The daemon answers, and says in a line how it is doing. From now on reloads are told. */
  ready(describe: () => string): void;
  /** That line may be another one now. */
  changed(): void;
  /** Runs a reload, and says that one runs; it is over when the last of those that overlap is. */
  reloading<Result>(load: () => Promise<Result>): Promise<Result>;
  /** A sign of life for the watchdog. */
  alive(): void;
  /** The last word. */
  stopping(): void;
}

export interface ManagerCalls {
  /** One datagram; throws with `code` EAGAIN where it can't be taken right now. */
  send(address: string, message: Buffer): void;
  /** What is said is lost: the socket of the manager is gone, say. */
  onFault(cause: string): void;
}

const RETRY_MS = 50;
/** Half a minute of a manager that takes nothing. */
const MAX_TRIES = 600;

/**
 * The manager behind NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which are removed from `env`: a child must not
 * speak for the daemon. Protocol: sd_notify(3).
 */
export function serviceManager(env: NodeJS.ProcessEnv, pid: number, calls: ManagerCalls): ServiceManager {
  const address = env.NOTIFY_SOCKET;
  const watchdogMs = watchdogOf(env, pid);
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete env[name];
  if (address === undefined || !/^[/@]./.test(address)) return SILENT;
  const say = mouth(address, calls);
  let phase: 'starting' | 'running' | 'stopping' = 'starting';
  let loads = 0;
  let describe = (): string => '';
  let told = '';
  const status = (): { STATUS: string } => {
    told = describe();
    return { STATUS: told };
  };
  return {
    watchdogMs,
    ready(how) {
      phase = 'running';
      describe = how;
      say({ READY: '1', ...status() });
    },
    changed() {
      if (phase === 'running' && describe() !== told) say(status());
    },
    async reloading(load) {
      loads += 1;
      // In one datagram: systemd takes a Type=notify-reload service for broken that sends them apart.
      if (phase === 'running') say({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) });
      try {
        return await load();
      } finally {
        loads -= 1;
        // How it ended is to be read as soon as systemd says that it has.
        if (phase === 'running' && loads === 0) say({ READY: '1', ...status() });
      }
    },
    alive() {
      if (phase === 'running') say({ WATCHDOG: '1' });
    },
    stopping() {
      phase = 'stopping';
      say({ STOPPING: '1', STATUS: 'stopping: what is under way may end' });
    },
  };
}

const SILENT: ServiceManager = {
  watchdogMs: null,
  ready() {},
  changed() {},
  reloading: (load) => load(),
  alive() {},
  stopping() {},
};

/** WATCHDOG_USEC is for the process that WATCHDOG_PID names, and for anybody where that is not set. */
function watchdogOf({ WATCHDOG_USEC: micros, WATCHDOG_PID: meant }: NodeJS.ProcessEnv, pid: number): number | null {
  if (micros === undefined || !/^[1-9]\d{0,17}$/.test(micros)) return null;
  return meant === undefined || meant === String(pid) ? Number(micros) / 1000 : null;
}

/** Says things in their order, each once: what the manager can't take yet waits. */
function mouth(address: string, { send, onFault }: ManagerCalls): (fields: Readonly<Record<string, string>>) => void {
  const waiting: Buffer[] = [];
  let busy = false;

  async function empty(): Promise<void> {
    busy = true;
    let tries = 0;
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      try {
        send(address, next);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN' && ++tries < MAX_TRIES) {
          await pause(RETRY_MS, undefined, { ref: false });
          continue;
        }
        onFault(String(error));
      }
      tries = 0;
      waiting.shift();
    }
    busy = false;
  }

  return (fields) => {
    const lines = Object.entries(fields).map(([name, value]) => `${name}=${value.replace(/[\n\r]+/g, ' ')}\n`);
    waiting.push(Buffer.from(lines.join(''), 'utf8'));
    if (!busy) void empty();
  };
}
