import type { PolicyQuestion } from '../../../src/policy/decision.ts';
import { signQuestion } from '../../../src/policy/question.ts';
import type { PolicySettings } from '../../../src/policy/settings.ts';

export function policySettings(url: string, more: Partial<PolicySettings> = {}): PolicySettings {
  return {
    enabled: true,
    protocol: 'flex-auth',
    url,
    caFile: null,
    failClosed: true,
    tenant: 'tenant:platform',
    subjectEnv: 'WARDEN_POLICY_SUBJECT',
    system: 'ops-warden',
    gate: ['sign'],
    auth: { bearerFile: null, clientCert: null, peerUid: null },
    timeoutMs: 10_000,
    cacheTtlMs: 0,
    healthPath: null,
    requireClaimsFor: [],
    claims: { issuer: '', audience: '', jwksUri: null, jwksFile: null, clockSkewMs: 60_000 },
    breakGlass: { callers: [], maxMs: 3_600_000 },
    ...more,
  };
}

/** The example of the contract. */
export const QUESTION: PolicyQuestion = signQuestion({
  actor: { name: 'agt-state-hub-bridge', type: 'agt' },
  subject: 'iam:agt-state-hub-bridge',
  tenant: 'tenant:platform',
  system: 'ops-warden',
  principals: ['agt-task-bridge'],
  fingerprint: 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU',
  ttlHours: 1.5,
});

export const ALLOW = {
  id: 'decision:873c6c682a52bebc',
  effect: 'allow',
  reason: 'signing_policy_matched',
};
