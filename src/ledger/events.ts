/** What the ledger tells its host, for the log and for status. Messages are constant; what varies is beside. */
export interface LedgerEvent {
  readonly event:
    | 'recovered'
    | 'unavailable'
    | 'available'
    | 'rotated'
    | 'rotation_failed'
    | 'head_restored'
    | 'space_short'
    | 'space_returned';
  readonly detail?: string;
  readonly cause?: unknown;
}

export type OnLedgerEvent = (event: LedgerEvent) => void;
