import * as z from 'zod';
import { OpenBaoFault } from './fault.ts';

/** What `sys/health` says, by its status. */
export type HealthState = 'active' | 'standby' | 'not_initialised' | 'sealed';

const Health = z.object({ initialized: z.boolean(), sealed: z.boolean() });
const STATES: Readonly<Record<number, HealthState>> = {
  200: 'active',
  429: 'standby',
  472: 'standby',
  473: 'standby',
  501: 'not_initialised',
  503: 'sealed',
};

/** @throws OpenBaoFault answer where this is not OpenBao's health */
export function readHealth(status: number, json: unknown): HealthState {
  const state = STATES[status];
  if (state === undefined || !Health.safeParse(json).success) {
    throw new OpenBaoFault('answer', `HTTP ${status} is not the health of OpenBao`, { status });
  }
  return state;
}

/** The fault that a state is; null where it serves. */
export function faultOfHealth(state: HealthState): OpenBaoFault | null {
  switch (state) {
    case 'active':
      return null;
    case 'standby':
      return new OpenBaoFault('standby', 'this node of OpenBao is on standby');
    case 'not_initialised':
      return new OpenBaoFault('not_initialised', 'OpenBao is not initialised');
    case 'sealed':
      return new OpenBaoFault('sealed', 'OpenBao is sealed');
  }
}
