import type { ActorType } from '../inventory/actor.ts';
import type { RequestId } from '../kernel/request-id.ts';
import type { CommandEnd, Terminal } from './command-runner.ts';

/** What a recording says of itself. Never an argument of the command: those may hold anything. */
export interface RecordedSession {
  /** Names the recording: the ledger's records of the session carry it. */
  readonly requestId: RequestId;
  readonly actor: string;
  readonly actorType: ActorType;
  readonly routes: readonly string[];
  /** Name of the command, without its folder. */
  readonly command: string;
  readonly terminal: Terminal;
  /** Of the caller; "" where unset. */
  readonly term: string;
}

/** One terminal session being recorded. */
export interface Recording {
  /**
   * What left the masker, before it is shown: resolves once it is written, so that nothing shows that is not recorded.
   * @throws WardenError recording_failed: the session must end
   */
  shown(bytes: Uint8Array): Promise<void>;
  resized(terminal: Terminal): Promise<void>;
  /** Closes the file, whatever happened before. Never throws. */
  end(end: CommandEnd | null): Promise<void>;
}

/** Records terminal sessions: a port, so that operations know of no file. Sessions without a terminal are not recorded. */
export interface Recorder {
  /**
   * Null where sessions of this type of actor are not recorded.
   * @throws WardenError recording_failed: nothing must start then
   */
  begin(session: RecordedSession): Promise<Recording | null>;
}
