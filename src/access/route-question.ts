import type { Actor } from '../inventory/actor.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import type { PolicyQuestion } from '../policy/decision.ts';
import type { Route } from './route.ts';

export interface RouteQuestionInput {
  readonly action: 'fetch' | 'exec';
  readonly route: Pick<Route, 'id' | 'secret'>;
  readonly actor: Pick<Actor, 'type' | 'maturity' | 'tenant'>;
  readonly subject: string;
  /** `policy.system`. */
  readonly system: string;
  readonly posture: EnvPosture;
  /** Of exec: the name of the command. */
  readonly command?: string;
  /** In the user's words; "" is none. */
  readonly reason?: string;
  readonly ticket?: string;
}

/**
 * What the decision point is asked before a secret flows: both axes of the workload and both demands of the secret,
 * so that it can enforce the lattice too. Keys in the contract's order.
 */
export function routeQuestion(input: RouteQuestionInput): PolicyQuestion {
  const { action, route, actor, subject, system, posture, command, reason = '', ticket = '' } = input;
  const { tenant } = actor;
  return {
    subject: { id: subject, type: actor.type, tenant },
    tenant,
    resource: { id: `secret-route:${route.id}`, type: 'secret-route', system, tenant },
    action,
    context: {
      env_posture: posture,
      workload_maturity: actor.maturity,
      required_maturity: route.secret.requiredMaturity,
      data_class: route.secret.dataClass,
      ...(command === undefined ? {} : { command }),
      ...(reason === '' ? {} : { reason }),
      ...(ticket === '' ? {} : { ticket }),
    },
  };
}
