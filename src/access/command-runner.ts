import type { Readable, Writable } from 'node:stream';
import type { AttestedConnection } from '../callers/connection.ts';
import type { Secret } from '../kernel/secret.ts';

/** A terminal on the caller's side: the command gets one of the same size. */
export interface Terminal {
  readonly columns: number;
  readonly rows: number;
}

/** One value that the command is to read from a file or a descriptor; the runner owns neither bytes nor name. */
export type Delivery =
  /** The path of a 0600 file on a memory file system, put into `variable`; gone when the command is. */
  | { readonly kind: 'file'; readonly variable: string; readonly value: Secret }
  /** A pipe open for reading at this number, 3 to 63. */
  | { readonly kind: 'fd'; readonly descriptor: number; readonly value: Secret };

/** What is to be started. Everything about it has been decided before. */
export interface CommandStart {
  /** What `find` answered, an absolute path. */
  readonly program: string;
  /** A descriptor of a file that is executed in the place of `program`, and stays open in the command; null: none. */
  readonly copy: number | null;
  /** With argv[0], in whose place the command sees `program`. Never holds a value. */
  readonly argv: readonly string[];
  /** The whole environment, injected values among it (which must be UTF-8); nothing of the daemon's own is added. */
  readonly env: ReadonlyMap<string, string | Secret>;
  readonly deliveries: readonly Delivery[];
  /** What stdin is: a value, or the caller's own bytes through `RunningCommand.stdin`. */
  readonly stdin: Secret | 'caller';
  /** Null: three pipes. */
  readonly terminal: Terminal | null;
  /** With a terminal: Ctrl-Z may stop the command, since somebody hears of it and will continue it. */
  readonly jobControl: boolean;
  /** False: an empty network namespace. */
  readonly network: boolean;
  /** As whom: uid, gid, supplementary groups, working folder, umask and limits are those of this live process. */
  readonly connection: AttestedConnection;
}

/** How a command ended. Exactly one of the two is not null. */
export interface CommandEnd {
  /** Also 128 and the number for a real-time signal, which has no name. */
  readonly exitCode: number | null;
  /** `SIGTERM` and the like. */
  readonly signal: NodeJS.Signals | null;
}

/** Of each of a command's streams. */
export const MOST_HELD_BYTES = 128 * 1024;

export interface RunningCommand {
  readonly pid: number;
  /** Null where a value is its stdin. With a terminal: what is typed. Back-pressure is the stream's own. */
  readonly stdin: Writable | null;
  /**
   * With a terminal: all that is shown. It ends before `ended` resolves: all output arrives before the exit code. Holds
   * at most MOST_HELD_BYTES that nobody has taken, and where a command has stopped what its terminal held then.
   */
  readonly stdout: Readable;
  /** Null with a terminal. */
  readonly stderr: Readable | null;
  /** Of the terminal; does nothing without one. */
  resize(terminal: Terminal): void;
  /**
   * To the command's whole group (with a terminal: the foreground group); SIGTERM, SIGHUP and SIGKILL to every group of
   * its session. Does nothing once it has ended.
   */
  signal(name: NodeJS.Signals): void;
  /**
   * With a terminal: `stopped` is called each time that the command has stopped, with how many bytes `stdout` gives in
   * all for what was written until then. SIGCONT continues it.
   */
  onStop(stopped: (written: number) => void): void;
  /** Resolves once the command itself has ended, whatever of its output nobody has taken yet. Never rejects. */
  readonly exited: Promise<unknown>;
  /**
   * Never rejects. Waits for `stdout` and `stderr` to be read to their end, or destroyed. Others that hold the pipes
   * still (what a command left in the background) may write for two seconds more, then are ended, too. Null: whoever
   * started it was lost before it could tell, so that nobody knows how, or whether, it has ended.
   */
  readonly ended: Promise<CommandEnd | null>;
}

/** A command as it was typed. */
export interface CommandName {
  /** Bare, or a path: a relative one from the caller's working folder. */
  readonly name: string;
  /** The caller's PATH, for a bare name. */
  readonly searchPath: string;
  readonly connection: AttestedConnection;
}

/**
 * Starts commands as the caller. A port with two adapters, held to one contract suite: the daemon's own child (user
 * mode), and the spawner, a small second process that alone may become somebody else (system mode).
 */
export interface CommandRunner {
  /**
   * Where the caller's own shell would find the command: an absolute path that the caller may execute, links not
   * followed.
   * @throws WardenError command_not_found | command_not_executable | route_unusable | caller_gone | spawner_unavailable
   */
  find(command: CommandName): Promise<string>;
  /**
   * Resolves once the command runs.
   * @throws WardenError command_not_found | command_not_executable | route_unusable | caller_gone | spawner_unavailable
   */
  start(start: CommandStart): Promise<RunningCommand>;
}
