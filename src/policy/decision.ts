/** What the decision point is asked. The shape on the wire is each adapter's own; this is what it must carry. */
export interface PolicyQuestion {
  readonly subject: { readonly id: string; readonly type: string; readonly tenant: string };
  readonly tenant: string;
  readonly resource: { readonly id: string; readonly type: string; readonly system: string; readonly tenant: string };
  readonly action: 'sign' | 'fetch' | 'exec';
  /** JSON values only. Never a key, a token or a secret. */
  readonly context: Readonly<Record<string, unknown>>;
}

/** Where the decision id came from: the decision point's answer, the request id it echoed, or our own. */
export type DecisionIdSource = 'pdp' | 'echoed' | 'pep';

export interface Decision {
  readonly effect: 'allow' | 'deny';
  readonly id: string;
  readonly idSource: DecisionIdSource;
  /** The decision point's word; "" where it gave none. */
  readonly reason: string;
  /** Milliseconds since the epoch after which the answer must not be used; null where it did not say. */
  readonly expiresAt: number | null;
  readonly cached: boolean;
}
