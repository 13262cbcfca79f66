/**
 * `unreachable`: no agent there, or it went away. `timeout`: it did not answer in time. `refused`: it answered
 * SSH_AGENT_FAILURE, which it gives for a key it does not hold and for a person who said no alike. `protocol`:
 * its answer is none. `overloaded`: too much waits for it already.
 */
export type AgentFaultKind = 'unreachable' | 'timeout' | 'refused' | 'protocol' | 'overloaded';

/** What an ssh-agent did not do. Whoever asked turns it into an error of its own. */
export class AgentFault extends Error {
  override readonly name = 'AgentFault';
  readonly kind: AgentFaultKind;

  constructor(kind: AgentFaultKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}
