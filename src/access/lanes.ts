import type { CommandFiles } from './command-files.ts';
import type { CommandRunner } from './command-runner.ts';
import type { ConfinementReader } from './confinement.ts';
import type { SecretStore } from './secret-store.ts';
import type { ToolRunner } from './tool-runner.ts';

/** The ways to a secret that a world has. */
export interface Lanes {
  /** Null: warden.yaml has no `openbao:`. */
  readonly store: SecretStore | null;
  readonly tools: ToolRunner;
  readonly commandFiles: CommandFiles;
  readonly confinement: ConfinementReader;
  readonly runner: CommandRunner;
}
