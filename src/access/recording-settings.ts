import type { ActorType } from '../inventory/actor.ts';

/** `recording:` of warden.yaml. */
export interface RecordingSettings {
  /** Types of actors whose terminal sessions are recorded. */
  readonly types: readonly ActorType[];
  /** Absolute; null: the folder `recordings` in the state folder. */
  readonly dir: string | null;
  readonly retentionMs: number;
  /** Of one recording. A session that would write more ends. */
  readonly maxBytes: number;
}

export const NOT_RECORDED: RecordingSettings = { types: [], dir: null, retentionMs: 0, maxBytes: 0 };
