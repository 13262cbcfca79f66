/** What can go wrong with an outside system before its answer has a meaning. */
export type HttpFaultKind = 'unreachable' | 'timeout' | 'overloaded' | 'answer' | 'untrusted';

/** The root of what capabilities throw about their outside system; whoever catches knows a made fault by it. */
export abstract class HttpFault extends Error {}

/** An outside system as messages name it, and the fault that its capability speaks of it in. */
export interface Party {
  /** Fits into a sentence: `the decision point`. */
  readonly name: string;
  readonly fault: (kind: HttpFaultKind, message: string, more?: { readonly cause?: unknown }) => HttpFault;
}
