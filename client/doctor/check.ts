/**
 * What the doctor says of one thing. `finding` is to be mended; `note` is worth knowing; `unknown` could not be looked
 * at by whoever asks; `off` is not in use.
 */
export type CheckState = 'ok' | 'finding' | 'note' | 'unknown' | 'off';

export interface Check {
  /** Stable, for scripts: `socket`, `clock.openbao`. */
  readonly id: string;
  readonly state: CheckState;
  /** One sentence or less, without a full stop. */
  readonly says: string;
  /** What to do; of findings always, of the rest where there is something. */
  readonly mend?: string;
}

export const ok = (id: string, says: string): Check => ({ id, state: 'ok', says });
export const off = (id: string, says: string): Check => ({ id, state: 'off', says });
export const note = (id: string, says: string, mend?: string): Check => ({
  id,
  state: 'note',
  says,
  ...(mend === undefined ? {} : { mend }),
});
export const finding = (id: string, says: string, mend: string): Check => ({ id, state: 'finding', says, mend });
export const unknown = (id: string, says: string, mend?: string): Check => ({
  id,
  state: 'unknown',
  says,
  ...(mend === undefined ? {} : { mend }),
});

/** 0 healthy, 1 with findings. */
export function exitCodeOf(checks: readonly Check[]): 0 | 1 {
  return checks.some(({ state }) => state === 'finding') ? 1 : 0;
}
