/** Asks a person whether a key may be used. */
export interface Confirmer {
  /** True only for a yes. `signal` takes the question back. */
  confirm(question: string, signal: AbortSignal): Promise<boolean>;
}
