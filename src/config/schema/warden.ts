import * as z from 'zod';
import { POSTURES } from '../../kernel/posture.ts';
import { alerts } from './alerts.ts';
import {
  actorType,
  duration,
  hours,
  isEndpoint,
  line,
  matching,
  path,
  size,
  tenant,
  text,
  unique,
  version,
  whole,
} from './common.ts';
import { openbao } from './openbao.ts';
import { selectors } from './selector.ts';
import { telemetry } from './telemetry.ts';

const keySource = text(
  'not a CA key: neither a path, `credential:NAME` nor `agent:SHA256:…`',
  'a file such as ca_ed25519, credential:NAME, or agent: and the fingerprint that `ssh-keygen -l` prints',
  isKeySource,
  { 'x-type': 'key' },
);

function isKeySource(value: string): boolean {
  if (value.startsWith('credential:')) return /^credential:[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$/.test(value);
  if (value.startsWith('agent:')) return /^agent:SHA256:[A-Za-z0-9+/]{43}$/.test(value);
  return path.safeParse(value).success;
}

const ca = z.strictObject({
  key: keySource
    .default('ca_ed25519')
    .describe(
      'The key that signs: a file, `credential:NAME` in $CREDENTIALS_DIRECTORY, or `agent:SHA256:…` held by an ssh-agent.',
    ),
  next: keySource.nullable().default(null).describe('The key that will sign: its public half is published already.'),
  retired: unique(keySource).default([]).describe('Keys that no longer sign; their public halves stay published.'),
});

const ceilings = z.strictObject({
  adm: hours(8760).default(48).describe('Ceiling of `adm` actors.'),
  agt: hours(8760).default(24).describe('Ceiling of `agt` actors.'),
  atm: hours(8760).default(8).describe('Ceiling of `atm` actors.'),
});

const socket = z.strictObject({
  mode: matching('not a mode that keeps others out', 'in quotes: "0600", or "0660" with a group', /^0?[67][0-7]0$/)
    .default('0600')
    .describe('Mode of the socket, in quotes. Others never get in.'),
  group: z
    .union([z.string(), z.number()], { error: 'neither a group name nor a number' })
    .refine(
      (value) =>
        typeof value === 'number'
          ? Number.isInteger(value) && value >= 0 && value < 4_294_967_295
          : /^[A-Za-z_][A-Za-z0-9._@+-]{0,255}\$?$/.test(value),
      {
        error: 'not a group',
        params: { hint: 'a group name or number, or null' },
      },
    )
    .nullable()
    .default(null)
    .describe("Group of the socket, name or number; null: the daemon's."),
});

const flexAuthUrl = text(
  'not a base URL: http, https or unix:///path, without user, query or fragment',
  'http://127.0.0.1:8080 or unix:///run/flex-auth.sock',
  (value) => isEndpoint(value, ['http:', 'https:', 'unix:']),
  { 'x-type': 'url' },
);

const auth = z.strictObject({
  bearer_file: path.nullable().default(null).describe('File with a bearer token to send; null: none.'),
  client_cert: z
    .strictObject({ cert_file: path.describe('Client certificate, PEM.'), key_file: path.describe('Its key, PEM.') })
    .nullable()
    .default(null)
    .describe('Client certificate for https; null: none.'),
  peer_uid: whole(0, 4_294_967_294)
    .nullable()
    .default(null)
    .describe('Over unix: the uid that must answer; null: any.'),
});

const claims = z.strictObject({
  issuer: line(2048).default('').describe('`iss` that ID tokens must carry.'),
  audience: line(1024).default('').describe('`aud` that ID tokens must carry.'),
  jwks_uri: text(
    'not an http(s) URL',
    'https://issuer.example.net/jwks.json',
    (value) => isEndpoint(value, ['http:', 'https:']),
    { 'x-type': 'url' },
  )
    .nullable()
    .default(null)
    .describe("Where the issuer's keys are fetched."),
  jwks_file: path.nullable().default(null).describe("File with the issuer's keys, in place of `jwks_uri`."),
  clock_skew: duration('0s', '10m').default('60s').describe('Tolerated difference between the clocks.'),
});

const policy = z.strictObject({
  enabled: z.boolean().default(false).describe('Ask the decision point before every sign and issue.'),
  protocol: z.enum(['flex-auth', 'authzen']).default('flex-auth').describe('How it is asked.'),
  flex_auth_url: flexAuthUrl
    .default('http://127.0.0.1:8080')
    .describe('Base URL of the decision point under either protocol; https and unix:///path too.'),
  ca_file: path.nullable().default(null).describe("CA certificates to trust for https, PEM; null: the system's."),
  fail_closed: z
    .boolean()
    .default(true)
    .describe('Refuse when the decision point faults. `false` is for a documented break-glass only.'),
  tenant: tenant.default('tenant:platform').describe('Tenant of actors that name none.'),
  subject_env: matching(
    'not the name of an environment variable',
    'WARDEN_POLICY_SUBJECT',
    /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
  )
    .default('WARDEN_POLICY_SUBJECT')
    .describe(
      "The caller's variable that names its subject. A request carries the subject itself, and `warden` reads WARDEN_POLICY_SUBJECT: another name is for clients of your own.",
    ),
  system: matching(
    'not a system name',
    'letters, digits, dots, dashes and underscores',
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  )
    .default('ops-warden')
    .describe('System that resources belong to.'),
  gate: unique(z.enum(['sign', 'fetch', 'exec', 'host']))
    .default(['sign'])
    .describe('What is asked for; `sign` covers issue. `host` only once the decision point knows the hosts.'),
  auth: auth.prefault({}).describe('How the daemon proves itself, and who must answer.'),
  timeout: duration('10ms', '60s').default('2s').describe('Deadline of one question.'),
  cache_ttl: duration('0s', '1h')
    .default('30s')
    .describe('How long an allow may be used again; 0s: asked before every sign.'),
  health_path: matching('not a path', 'a path such as /healthz', /^\/[\x21-\x22\x24-\x3e\x40-\x7e]{0,1024}$/)
    .nullable()
    .default(null)
    .describe("Path that tells readiness; null: the protocol's own (/healthz, or AuthZEN's metadata document)."),
  require_claims_for: unique(actorType).default([]).describe('Actor types that must give a signed ID token.'),
  claims: claims.prefault({}).describe('What an ID token must say.'),
  break_glass: z
    .strictObject({
      callers: selectors.default([]).describe('Who may open the break-glass.'),
      max: duration('1m', '24h').default('1h').describe('For how long at most.'),
    })
    .prefault({})
    .describe('`warden break-glass`: a time-boxed release while the decision point faults.'),
});

const limits = z.strictObject({
  per_caller_rate: text('not a rate', 'requests by second or minute: 50/s, 120/m', isRate, {
    pattern: '^\\d+/(s|m)$',
    'x-type': 'rate',
  })
    .default('50/s')
    .describe('Requests of one caller.'),
  per_caller_concurrency: whole(1, 10_000).default(32).describe('Requests of one caller at the same time.'),
  connections: whole(1, 65_536).default(1024).describe('Connections of all callers together.'),
  exec_concurrency: whole(1, 4096)
    .default(16)
    .describe('Commands that run at the same time; 7/8 of them for one caller.'),
  exec_output: size('64KiB', '4GiB')
    .default('256MiB')
    .describe('What one command may write in a second; a faster one is slowed.'),
});

function isRate(value: string): boolean {
  return /^[1-9]\d{0,5}\/[sm]$/.test(value);
}

const ledger = z.strictObject({
  rotate: size('4KiB', '16GiB').default('64MiB').describe('Size at which a new file is begun.'),
  checkpoint_every: whole(1, 1_000_000).default(1000).describe('Records between two signed checkpoints.'),
});

const metrics = z.strictObject({
  listen: text('not a place to listen', 'off, unix:///path or 127.0.0.1:PORT', isListen)
    .default('off')
    .describe('Prometheus metrics: off, unix:///path or 127.0.0.1:PORT.'),
});

function isListen(value: string): boolean {
  if (value === 'off') return true;
  if (value.startsWith('unix://')) return /^unix:\/\/\/[^\s?#]+$/.test(value);
  const port = /^(?:127\.0\.0\.1|\[::1\]|localhost):([1-9]\d{0,4})$/.exec(value)?.[1];
  return port !== undefined && Number(port) <= 65_535;
}

const onOff = z.enum(['on', 'off']);

const recording = z.strictObject({
  adm: onOff.default('off').describe('Record terminal sessions of `warden exec` for `adm` actors: on or off.'),
  agt: onOff.default('off').describe('The same for `agt` actors.'),
  dir: path
    .nullable()
    .default(null)
    .describe("Folder of the recordings, the daemon's own; null: `recordings` in the state folder."),
  retention: duration('1h', '3650d').default('30d').describe('How long a recording is kept after its last line.'),
  max: size('64KiB', '16GiB')
    .default('256MiB')
    .describe('Size of one recording; the session ends where it is reached.'),
});

export const wardenFile = z.strictObject({
  version,
  posture: z
    .enum(POSTURES)
    .describe('How the secret store is secured: dev, test or prod. Required: nothing is guessed.'),
  backend: z
    .enum(['local', 'openbao'])
    .default('local')
    .describe('Who signs: a key of this daemon, or the SSH engine of OpenBao.'),
  ca: ca.prefault({}).describe('Keys of the local certificate authority.'),
  ttl_ceilings_hours: ceilings.prefault({}).describe('Longest TTL by actor type, in hours.'),
  socket: socket.prefault({}).describe('The socket. A change needs a restart.'),
  admins: selectors
    .optional()
    .describe("Administrators: Reload, Revoke, full explanations. Absent: the daemon's own uid."),
  auditors: selectors.default([]).describe("Who may read the ledger beyond one's own records."),
  policy: policy.prefault({}).describe('The policy gate.'),
  openbao: openbao
    .optional()
    .describe('OpenBao: where certificates are signed under `backend: openbao`, and where the values of routes are.'),
  limits: limits.prefault({}).describe('Bounds on what callers may use.'),
  ledger: ledger.prefault({}).describe('The ledger.'),
  metrics: metrics.prefault({}).describe('Metrics.'),
  recording: recording.prefault({}).describe('Recordings of terminal sessions, masked, in asciicast v2.'),
  telemetry: telemetry.prefault({}).describe('Ledger records and requests for an OpenTelemetry collector.'),
  alerts: alerts.prefault({}).describe('Who is told of a burst of refusals.'),
});

export type WardenFile = z.output<typeof wardenFile>;
