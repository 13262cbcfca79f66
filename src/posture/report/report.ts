import type { Check, JudgedFlow } from '../check.ts';
import type { Manifest } from '../manifest.ts';

/** Line and column from 1; line 0: the whole file. */
export interface Placed {
  readonly line: number;
  readonly column: number;
}

export interface PlacedCheck extends Check, Placed {}

/** Why a manifest could not be judged. */
export interface Unusable extends Placed {
  readonly message: string;
  readonly hint: string;
}

/** What every form of output is made from. */
export interface PostureReport {
  /** The manifest as the user named it. */
  readonly file: string;
  /** The moment it was judged at, in milliseconds since the Unix epoch. */
  readonly now: number;
  /** Of the program that judged. */
  readonly version: string;
  readonly judged: Judged | null;
  /** Not empty exactly where nothing could be judged. */
  readonly problems: readonly Unusable[];
}

export interface Judged {
  readonly manifest: Manifest;
  readonly conforms: boolean;
  readonly checks: readonly PlacedCheck[];
  readonly flows: readonly JudgedFlow[];
}

/** 0 conforms, 1 findings, 2 unusable. */
export function exitOf({ judged }: PostureReport): 0 | 1 | 2 {
  if (judged === null) return 2;
  return judged.conforms ? 0 : 1;
}
