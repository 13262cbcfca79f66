import { resolve } from 'node:path';
import { hoursToSeconds } from '../inventory/ttl-rules.ts';
import { parseDuration, parseSize } from '../kernel/duration.ts';
import type { PolicySettings } from '../policy/settings.ts';
import type { Facts } from './facts.ts';
import type { Problems } from './problems.ts';
import { parseBurst } from './schema/alerts.ts';
import type { WardenFile } from './schema/warden.ts';
import { toSelectors } from './selectors.ts';
import type { AlertSettings, OpenBaoSettings, Settings, TelemetrySettings } from './snapshot.ts';

/** The file's data as settings: names resolved, paths absolute, times and sizes as numbers. */
export function toSettings(file: WardenFile, configDir: string, facts: Facts, problems: Problems): Settings {
  const absolute = (path: string): string => resolve(configDir, path);
  const key = (source: string): string => (/^(?:credential|agent):/.test(source) ? source : absolute(source));
  return {
    posture: file.posture,
    backend: file.backend,
    ca: {
      key: key(file.ca.key),
      next: file.ca.next === null ? null : key(file.ca.next),
      retired: file.ca.retired.map(key),
      ...keyFiles([file.ca.key, ...(file.ca.next === null ? [] : [file.ca.next]), ...file.ca.retired].map(key), facts),
    },
    ttlCeilingsSeconds: ceilingsOf(file.ttl_ceilings_hours),
    socket: { mode: Number.parseInt(file.socket.mode, 8), group: socketGroup(file.socket.group, facts, problems) },
    admins: file.admins === undefined ? null : toSelectors(file.admins, ['admins'], facts, problems),
    auditors: toSelectors(file.auditors, ['auditors'], facts, problems),
    policy: toPolicy(file.policy, absolute, facts, problems),
    limits: {
      perCallerRatePerSecond: ratePerSecond(file.limits.per_caller_rate),
      perCallerConcurrency: file.limits.per_caller_concurrency,
      connections: file.limits.connections,
      execConcurrency: file.limits.exec_concurrency,
      execOutputBytesPerSecond: parseSize(file.limits.exec_output) ?? 0,
    },
    ledger: { rotateBytes: parseSize(file.ledger.rotate) ?? 0, checkpointEvery: file.ledger.checkpoint_every },
    metrics: { listen: file.metrics.listen },
    recording: {
      types: (['adm', 'agt'] as const).filter((type) => file.recording[type] === 'on'),
      dir: file.recording.dir === null ? null : absolute(file.recording.dir),
      retentionMs: milliseconds(file.recording.retention),
      maxBytes: parseSize(file.recording.max) ?? 0,
    },
    alerts: toAlerts(file.alerts),
    telemetry: toTelemetry(file.telemetry, absolute),
    openbao: file.openbao === undefined ? null : toOpenBao(file.openbao, absolute),
  };
}

/** So that a key that is replaced under its own name makes another config. Nothing where there are no files (yet). */
function keyFiles(keys: readonly string[], facts: Facts): Pick<Settings['ca'], 'files'> {
  const paths = keys.filter((key) => key.startsWith('/'));
  const files = paths.map((path) => facts.fileIdentity(path) ?? facts.fileIdentity(`${path}.pub`));
  return files.some((identity) => identity !== null) ? { files } : {};
}

export function ceilingsOf(hours: WardenFile['ttl_ceilings_hours']): Settings['ttlCeilingsSeconds'] {
  return { adm: hoursToSeconds(hours.adm), agt: hoursToSeconds(hours.agt), atm: hoursToSeconds(hours.atm) };
}

function toAlerts({ refusals, command, quiet }: WardenFile['alerts']): AlertSettings | null {
  const burst = refusals === null ? null : parseBurst(refusals);
  return burst === null ? null : { ...burst, command, quietMs: milliseconds(quiet) };
}

function toTelemetry(
  { otlp, logs, traces, bearer_file: bearer }: WardenFile['telemetry'],
  absolute: (path: string) => string,
): TelemetrySettings | null {
  if (otlp === 'off') return null;
  return { endpoint: otlp, logs, traces, bearerFile: bearer === null ? null : absolute(bearer) };
}

function toPolicy(
  policy: WardenFile['policy'],
  absolute: (path: string) => string,
  facts: Facts,
  problems: Problems,
): PolicySettings {
  const file = (path: string | null): string | null => (path === null ? null : absolute(path));
  const { client_cert: cert } = policy.auth;
  return {
    enabled: policy.enabled,
    protocol: policy.protocol,
    url: policy.flex_auth_url,
    caFile: file(policy.ca_file),
    failClosed: policy.fail_closed,
    tenant: policy.tenant,
    subjectEnv: policy.subject_env,
    system: policy.system,
    gate: policy.gate,
    auth: {
      bearerFile: file(policy.auth.bearer_file),
      clientCert: cert === null ? null : { certFile: absolute(cert.cert_file), keyFile: absolute(cert.key_file) },
      peerUid: policy.auth.peer_uid,
    },
    timeoutMs: milliseconds(policy.timeout),
    cacheTtlMs: milliseconds(policy.cache_ttl),
    healthPath: policy.health_path,
    requireClaimsFor: policy.require_claims_for,
    claims: {
      issuer: policy.claims.issuer,
      audience: policy.claims.audience,
      jwksUri: policy.claims.jwks_uri,
      jwksFile: file(policy.claims.jwks_file),
      clockSkewMs: milliseconds(policy.claims.clock_skew),
    },
    breakGlass: {
      callers: toSelectors(policy.break_glass.callers, ['policy', 'break_glass', 'callers'], facts, problems),
      maxMs: milliseconds(policy.break_glass.max),
    },
  };
}

function toOpenBao(openbao: NonNullable<WardenFile['openbao']>, absolute: (path: string) => string): OpenBaoSettings {
  const login = openbao.login;
  return {
    ...openbao,
    ca_file: openbao.ca_file === null ? null : absolute(openbao.ca_file),
    login:
      login === null
        ? null
        : (Object.fromEntries(
            Object.entries(login).map(([name, value]) => [
              name,
              name.endsWith('_file') && value !== null ? absolute(value) : value,
            ]),
          ) as typeof login),
    ssh: { ...openbao.ssh, ca_public_key: absolute(openbao.ssh.ca_public_key) },
  };
}

function socketGroup(group: string | number | null, facts: Facts, problems: Problems): number | null {
  if (group === null || typeof group === 'number') return group;
  const gid = facts.gid(group);
  if (gid === null)
    problems.at(
      ['socket', 'group'],
      `there is no group \`${group}\` on this machine`,
      'a group that exists, or its number',
    );
  return gid;
}

function ratePerSecond(rate: string): number {
  const [count, unit] = rate.split('/');
  return Number(count) / (unit === 'm' ? 60 : 1);
}

// The schema has held the text against its bounds already.
function milliseconds(duration: string): number {
  return parseDuration(duration) ?? 0;
}
