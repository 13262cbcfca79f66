/** What the agent tells its user, one line each. */
export interface Events {
  /** Something was done. */
  note(event: string, fields: Fields, sentence: string): void;
  /** Something was not done, and why. */
  problem(event: string, fields: Fields, sentence: string): void;
}

export type Fields = Readonly<Record<string, string | number | boolean | null>>;
