/** One page of `warden explain CODE`. Sentences for people; the code's own hint is printed with them. */
export interface Page {
  readonly means: string;
  readonly why: readonly string[];
  readonly mend: readonly string[];
}

export const page = (means: string, why: readonly string[], mend: readonly string[]): Page => ({ means, why, mend });
