import { NOT_RECORDED, type RecordingSettings } from '../access/recording-settings.ts';
import { ACTOR_TYPES } from '../inventory/actor.ts';
import { formatSeconds } from '../kernel/duration.ts';
import type { PolicySettings } from '../policy/settings.ts';
import { callersChanges, changed, gainedAndLost, onOff, selectorChanges } from './diff-actor.ts';
import { sameContent } from './frozen.ts';
import type { Settings } from './snapshot.ts';

/** What changed in warden.yaml, in words. */
export function settingsChanges(before: Settings, after: Settings): readonly string[] {
  return [
    ...changed('posture', before.posture, after.posture),
    ...changed('backend', before.backend, after.backend),
    ...changed('CA key', before.ca.key, after.ca.key),
    ...keyFileChange(before.ca, after.ca),
    ...changed('next CA key', before.ca.next ?? 'none', after.ca.next ?? 'none'),
    ...gainedAndLost('retired CA key', before.ca.retired, after.ca.retired).map((line) => `ca: ${line}`),
    ...ACTOR_TYPES.flatMap((type) =>
      changed(
        `TTL ceiling of ${type}`,
        formatSeconds(before.ttlCeilingsSeconds[type]),
        formatSeconds(after.ttlCeilingsSeconds[type]),
      ),
    ),
    ...callersChanges(before.admins, after.admins).map(
      (line) => `admins: ${line.replace('may ask', 'may administer')}`,
    ),
    ...selectorChanges(before.auditors, after.auditors, 'may read the ledger').map((line) => `auditors: ${line}`),
    ...policyChanges(before.policy, after.policy),
    ...numbers('limits', { ...before.limits }, { ...after.limits }),
    ...numbers('ledger', { ...before.ledger }, { ...after.ledger }),
    ...changed('metrics', before.metrics?.listen ?? 'off', after.metrics?.listen ?? 'off'),
    ...recordingChanges(before.recording ?? NOT_RECORDED, after.recording ?? NOT_RECORDED),
    ...changed('telemetry', telemetryWords(before), telemetryWords(after)),
    ...changed('alerts', alertWords(before), alertWords(after)),
    ...(sameContent(before.openbao ?? null, after.openbao ?? null) ? [] : ['openbao: changed']),
  ];
}

function telemetryWords({ telemetry }: Settings): string {
  if (telemetry === null || telemetry === undefined) return 'off';
  const { endpoint, logs, traces, bearerFile } = telemetry;
  const token = bearerFile === null ? 'no token' : `the token in ${bearerFile}`;
  return `${endpoint} with ${token} (logs ${onOff(logs)}, traces ${onOff(traces)})`;
}

function alertWords({ alerts }: Settings): string {
  if (alerts === null || alerts === undefined) return 'off';
  const { count, windowMs, quietMs, command } = alerts;
  const told = command === null ? 'the log' : command.join(' ');
  return `${count} refusals in ${windowMs / 1000} s, every ${quietMs / 1000} s, to ${told}`;
}

/** The names are the same and the files are not. */
function keyFileChange(before: Settings['ca'], after: Settings['ca']): readonly string[] {
  const { files: was, ...named } = before;
  const { files: is, ...names } = after;
  return sameContent(named, names) && !sameContent(was ?? null, is ?? null) ? ['ca: a key file was replaced'] : [];
}

function recordingChanges(before: RecordingSettings, after: RecordingSettings): readonly string[] {
  return [
    ...gainedAndLost('recorded actor type', before.types, after.types).map((line) => `recording: ${line}`),
    ...changed('recording dir:', before.dir ?? 'in the state folder', after.dir ?? 'in the state folder'),
    ...numbers(
      'recording',
      { retentionMs: before.retentionMs, maxBytes: before.maxBytes },
      { retentionMs: after.retentionMs, maxBytes: after.maxBytes },
    ),
  ];
}

function policyChanges(before: PolicySettings, after: PolicySettings): readonly string[] {
  return [
    ...changed('policy gate:', onOff(before.enabled), onOff(after.enabled)),
    ...changed('policy fail_closed:', onOff(before.failClosed), onOff(after.failClosed)),
    ...changed('policy protocol:', before.protocol, after.protocol),
    ...changed('policy decision point:', before.url, after.url),
    ...gainedAndLost('gated action', before.gate, after.gate).map((line) => `policy: ${line}`),
    ...changed('policy tenant:', before.tenant, after.tenant),
    ...changed('policy system:', before.system, after.system),
    ...changed('policy subject_env:', before.subjectEnv, after.subjectEnv),
    ...changed('policy timeout:', `${before.timeoutMs}ms`, `${after.timeoutMs}ms`),
    ...changed('policy cache_ttl:', `${before.cacheTtlMs}ms`, `${after.cacheTtlMs}ms`),
    ...changed('policy health_path:', before.healthPath ?? 'default', after.healthPath ?? 'default'),
    ...changed('policy ca_file:', before.caFile ?? 'none', after.caFile ?? 'none'),
    ...(sameContent(before.auth, after.auth) ? [] : ['policy auth: changed']),
    ...gainedAndLost('actor type that must give an ID token', before.requireClaimsFor, after.requireClaimsFor).map(
      (line) => `policy: ${line}`,
    ),
    ...(sameContent(before.claims, after.claims) ? [] : ['policy claims: changed']),
    ...selectorChanges(before.breakGlass.callers, after.breakGlass.callers, 'may open the break-glass'),
    ...changed(
      'break-glass maximum',
      formatSeconds(Math.floor(before.breakGlass.maxMs / 1000)),
      formatSeconds(Math.floor(after.breakGlass.maxMs / 1000)),
    ),
  ];
}

function numbers(
  section: string,
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): readonly string[] {
  return Object.keys(after).flatMap((key) => changed(`${section} ${key}:`, String(before[key]), String(after[key])));
}
