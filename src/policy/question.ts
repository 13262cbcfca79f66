import type { Actor } from '../inventory/actor.ts';
import type { PolicyQuestion } from './decision.ts';

export interface SignInput {
  readonly actor: Pick<Actor, 'name' | 'type'>;
  readonly subject: string;
  /** The actor's, which the loader has set to `policy.tenant` where the actor has none. */
  readonly tenant: string;
  /** `policy.system`. */
  readonly system: string;
  readonly principals: readonly string[];
  /** `SHA256:…`, as ssh-keygen prints it. */
  readonly fingerprint: string;
  /** As asked for, before the local ceiling. */
  readonly ttlHours: number;
  /** In the user's words; "" is none. */
  readonly reason?: string;
  readonly ticket?: string;
}

export type HostQuestionInput = Omit<SignInput, 'actor' | 'subject'>;

/** What is asked before a host certificate is signed: the same, of a host. It acts for itself. */
export function hostQuestion(host: string, input: HostQuestionInput): PolicyQuestion {
  const { tenant, system, principals, fingerprint, ttlHours, reason = '', ticket = '' } = input;
  return {
    subject: { id: `host:${host}`, type: 'host', tenant },
    tenant,
    resource: { id: `ssh-cert:host/${host}`, type: 'ssh-certificate', system, tenant },
    action: 'sign',
    context: {
      principals: [...principals],
      actor_type: 'host',
      pubkey_fingerprint: fingerprint,
      ttl_hours: ttlHours,
      ...(reason === '' ? {} : { reason }),
      ...(ticket === '' ? {} : { ticket }),
    },
  };
}

/** What the decision point is asked before a certificate is signed, keys in the contract's order. */
export function signQuestion(input: SignInput): PolicyQuestion {
  const { actor, subject, tenant, system, reason = '', ticket = '' } = input;
  return {
    subject: { id: subject, type: actor.type, tenant },
    tenant,
    resource: { id: `ssh-cert:actor/${actor.name}`, type: 'ssh-certificate', system, tenant },
    action: 'sign',
    context: {
      principals: [...input.principals],
      actor_type: actor.type,
      pubkey_fingerprint: input.fingerprint,
      ttl_hours: input.ttlHours,
      ...(reason === '' ? {} : { reason }),
      ...(ticket === '' ? {} : { ticket }),
    },
  };
}
