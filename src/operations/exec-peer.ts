import type { CommandEnd, Terminal } from '../access/command-runner.ts';
import type { Route } from '../access/route.ts';
import type { Walked } from '../access/walk.ts';
import type { Actor } from '../inventory/actor.ts';
import type { WardenError } from '../kernel/errors.ts';
import type { LedgerReceipt } from '../ledger/record.ts';
import type { GateOutcome } from './ask-gate.ts';
import type { AdmittedCommand } from './exec-gate.ts';

/** What may be told of a start. */
export interface ExecStarted {
  readonly actor: Actor;
  readonly command: AdmittedCommand;
  readonly routes: readonly StartedRoute[];
  /** Routes with values too short to be masked. */
  readonly unmasked: readonly string[];
}

export interface StartedRoute {
  readonly route: Route;
  readonly walked: Walked;
  readonly gate: GateOutcome;
  readonly receipt: LedgerReceipt;
}

export interface ExecEnded {
  readonly ran: Ran;
  readonly end: CommandEnd;
  readonly durationMs: number;
  /** Null where the end could not be recorded. */
  readonly receipt: LedgerReceipt | null;
}

export interface Ran {
  /** Null: nobody can tell. */
  readonly end: CommandEnd | null;
  /** What the command wrote, before masking. */
  readonly bytes: number;
  /** Why the daemon ended it; null where it did not. */
  readonly ended: WardenError | null;
}

/** What the caller sends once its command runs. */
export type ExecOrder =
  | { readonly kind: 'stdin'; readonly bytes: Buffer }
  | { readonly kind: 'stdin_end' }
  | { readonly kind: 'resize'; readonly terminal: Terminal }
  | { readonly kind: 'signal'; readonly name: NodeJS.Signals };

/** What it is sent. */
export type ExecEvent =
  | { readonly kind: 'started'; readonly started: ExecStarted }
  | { readonly kind: 'stdout' | 'stderr'; readonly bytes: Uint8Array }
  /** So many bytes of stdin have been taken since this was last said. */
  | { readonly kind: 'stdin_taken'; readonly bytes: number }
  /** The command has stopped, and all that it wrote before has been sent. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'ended'; readonly ended: ExecEnded };

/** The caller's side of one running command. A port: operations know this and nothing of gRPC. */
export interface ExecPeer {
  /** Resolves once more may be sent. @throws WardenError caller_gone | caller_changed */
  send(event: ExecEvent): Promise<void>;
  /** Read no faster than it is taken; ends when nothing more will come. Throws invalid_request for what it may not send. */
  readonly orders: AsyncIterable<ExecOrder>;
  /** Aborts when the daemon begins to stop. */
  readonly stopping: AbortSignal;
}
