import { accessSync, constants } from 'node:fs';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { connectOpenBao } from '../../src/openbao/connect.ts';
import { OpenBaoFault } from '../../src/openbao/fault.ts';
import { faultOfHealth } from '../../src/openbao/health.ts';
import { createLogin } from '../../src/openbao/login.ts';
import type { LoginSettings } from '../../src/openbao/settings.ts';
import { PolicyFault } from '../../src/policy/decision-point.ts';
import { errorOfFault } from '../../src/policy/fault-rule.ts';
import { createGate } from '../../src/policy/gate.ts';
import { signQuestion } from '../../src/policy/question.ts';
import { native } from '../../src/unix/native.ts';
import { whyFile } from '../bounded-file.ts';
import { toShown } from '../report-error.ts';
import { type Glance, glance } from './clock.ts';
import type { ClockFacts, GateFacts, Look, StoreFacts } from './judge-outside.ts';
import { see } from './see.ts';

const PATIENCE_MS = 10_000;
/** Of nobody: a decision point that allows it allows anything. */
const NOBODY = { name: 'agt-warden-doctor-nobody', type: 'agt' } as const;

/** Looks at the decision point as the daemon would, and asks it about an actor that does not exist. */
export async function gatherGate(
  { settings }: Snapshot,
  now: number,
): Promise<{ facts: GateFacts; clock: ClockFacts | null; closed: string | null }> {
  const { policy, posture } = settings;
  const nothing: GateFacts = {
    enabled: policy.enabled,
    url: policy.url,
    timeoutMs: policy.timeoutMs,
    posture,
    ready: null,
    asked: null,
    certificateEnds: null,
    now,
  };
  if (!policy.enabled || posture === 'dev') return { facts: nothing, clock: null, closed: null };
  const closed = [policy.auth.bearerFile, policy.auth.clientCert?.keyFile ?? null, policy.caFile]
    .map((path) => (path === null ? null : closedTo(path)))
    .find((why) => why !== null);
  const gate = createGate(policy, {
    acceptDoubles: posture !== 'prod',
    peerUidOf: (fd) => native().peerCredentials(fd).uid,
  });
  try {
    const ready = await look(() => gate.ready(AbortSignal.timeout(PATIENCE_MS)));
    let effect: 'allow' | 'deny' | null = null;
    const question = signQuestion({
      actor: NOBODY,
      subject: NOBODY.name,
      tenant: policy.tenant,
      system: policy.system,
      principals: [NOBODY.name],
      fingerprint: 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
      ttlHours: 1,
    });
    const asks = closed === undefined && ready.fault === null;
    const asked = !asks
      ? null
      : await look(async () => {
          const signal = AbortSignal.timeout(PATIENCE_MS);
          effect = (await gate.decide(question, { requestId: `warden-doctor-${now}`, signal })).effect;
        });
    const seen = await glance(policy.url, policy.healthPath ?? '/healthz', policy.caFile);
    return {
      facts: { ...nothing, ready, asked: asked === null ? null : { ...asked, effect }, ...ends(seen) },
      clock: { id: 'clock.policy', name: 'the decision point', skew: seen.skew, why: seen.why },
      closed: closed ?? null,
    };
  } finally {
    await gate.close();
  }
}

/** Looks at OpenBao: its health, the files that the login stands on, the token where it is a file's. */
export async function gatherStore(
  { settings }: Snapshot,
  now: number,
): Promise<{ facts: StoreFacts; clock: ClockFacts | null }> {
  const { openbao = null, posture } = settings;
  const nothing: StoreFacts = {
    configured: openbao !== null,
    address: openbao?.address ?? '',
    posture,
    tier: openbao?.tier ?? null,
    health: null,
    credentials: [],
    token: null,
    certificateEnds: null,
    now,
  };
  if (openbao === null || posture === 'dev') return { facts: nothing, clock: null };
  const client = connectOpenBao({
    settings: openbao,
    login: null,
    acceptDoubles: posture !== 'prod',
    peerUidOf: (fd) => native().peerCredentials(fd).uid,
  });
  try {
    const health = await look(async () => {
      const fault = faultOfHealth(await client.health(AbortSignal.timeout(PATIENCE_MS)));
      if (fault !== null) throw fault;
    });
    const credentials = openbao.login === null ? [] : credentialsOf(openbao.login);
    let ttlSeconds: number | null = null;
    const { login } = openbao;
    const usable = credentials.every(({ fault }) => fault === null) && health.fault === null;
    const token =
      login?.method === 'token_file' && usable
        ? await look(async () => {
            ({ ttlSeconds } = await createLogin(login, client).logIn(AbortSignal.timeout(PATIENCE_MS)));
          })
        : null;
    const seen = await glance(openbao.address, '/v1/sys/health', openbao.ca_file);
    return {
      facts: {
        ...nothing,
        health,
        credentials,
        token: token === null ? null : { ...token, ttlSeconds },
        ...ends(seen),
      },
      clock: { id: 'clock.openbao', name: 'OpenBao', skew: seen.skew, why: seen.why },
    };
  } finally {
    await client.close();
  }
}

function ends({ certificateEnds }: Glance): { certificateEnds: number | null } {
  return { certificateEnds };
}

async function look(at: () => Promise<unknown>): Promise<Look> {
  const begun = performance.now();
  try {
    await at();
    return { ms: performance.now() - begun, fault: null };
  } catch (thrown) {
    const error = asError(thrown);
    return { ms: performance.now() - begun, fault: { message: error.message, hint: error.hint } };
  }
}

/** To whoever runs the doctor the fault itself is told: it names files and codes, which is what a mend needs. */
function asError(thrown: unknown): { message: string; hint: string } {
  if (thrown instanceof PolicyFault) return { message: thrown.message, hint: errorOfFault(thrown).hint };
  if (thrown instanceof OpenBaoFault)
    return {
      message: thrown.message,
      hint: 'see openbao.address, ca_file and login in warden.yaml, and whether OpenBao runs and is unsealed',
    };
  if (thrown instanceof WardenError) return { message: thrown.message, hint: thrown.hint };
  return toShown(thrown);
}

const SECRET_FILES = new Set(['token_file', 'secret_id_file', 'jwt_file', 'key_file']);

function credentialsOf(login: LoginSettings): StoreFacts['credentials'] {
  return Object.entries(login)
    .filter(([name, value]) => name.endsWith('_file') && typeof value === 'string')
    .map(([name, value]) => {
      const path = String(value);
      const seen = see(path);
      const why = closedTo(path);
      if (seen === null) return { path, fault: 'there is no such file', closed: false };
      if (typeof seen === 'string') return { path, fault: seen, closed: true };
      const open = SECRET_FILES.has(name) && login.method !== 'kubernetes' && (seen.mode & 0o077) !== 0;
      if (open) return { path, fault: 'others may read it: chmod 600', closed: false };
      return { path, fault: why, closed: why !== null };
    });
}

/** Why we may not read a file; null where we may, or where it is not there. */
function closedTo(path: string): string | null {
  try {
    accessSync(path, constants.R_OK);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? null : whyFile(error);
  }
}
