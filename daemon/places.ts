export interface Places {
  readonly configDir: string;
  readonly stateDir: string;
  readonly socketPath: string;
  readonly mode: 'user' | 'system';
  /** Where wardend-spawner listens, if it is to start the commands. */
  readonly spawner: string | null;
}
