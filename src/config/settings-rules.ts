import { WardenError } from '../kernel/errors.ts';
import { parseOpenBaoAddress } from '../openbao/address.ts';
import { parseEndpoint } from '../policy/endpoint.ts';
import type { Problems } from './problems.ts';
import type { WardenFile } from './schema/warden.ts';

/** What must hold between the keys of warden.yaml, and what an operator should know of a choice that is allowed. */
export function checkSettings(file: WardenFile, problems: Problems): void {
  checkBackend(file, problems);
  checkOpenBao(file, problems);
  checkCa(file, problems);
  checkEndpoint(file, problems);
  checkClaims(file, problems);
  warnOfPolicy(file, problems);
  if (file.socket.group !== null && (Number.parseInt(file.socket.mode, 8) & 0o070) === 0) {
    problems.warn(['socket', 'group'], 'the group gets nothing from socket.mode: write mode "0660"');
  }
  if (file.alerts.command !== null && file.alerts.refusals === null)
    problems.warn(['alerts', 'command'], 'alerts.command never runs: alerts.refusals is null');
  if (file.posture === 'prod' && isPlainAbroad(file.telemetry.otlp))
    problems.warn(
      ['telemetry', 'otlp'],
      'plain http shows to the network who gets what: use https, or a collector on this machine',
    );
  if (file.openbao?.tier !== undefined && file.openbao.tier !== file.posture) {
    problems.warn(['openbao', 'tier'], 'openbao.tier differs from posture: fetch and exec are refused');
  }
}

/** Plain http to another machine. A name that begins like an address of this one is a name. */
function isPlainAbroad(url: string): boolean {
  if (!url.startsWith('http:')) return false;
  return !/^(?:127(?:\.\d+){3}|localhost|\[::1\])$/.test(new URL(url).hostname);
}

function checkBackend(file: WardenFile, problems: Problems): void {
  // In dev a double stands in, which needs neither.
  if (file.backend !== 'openbao' || file.posture === 'dev') return;
  const hint =
    'openbao: { address: https://HOST:8200, login: { method: approle, role_id_file: …, secret_id_file: … } }';
  if (file.openbao === undefined) problems.at(['backend'], 'signing through OpenBao needs an `openbao:` block', hint);
  else if (file.openbao.login === null)
    problems.at(['openbao'], 'signing through OpenBao needs openbao.login: a token of the daemon', hint);
}

function checkOpenBao(file: WardenFile, problems: Problems): void {
  const { openbao } = file;
  if (openbao === undefined) return;
  try {
    parseOpenBaoAddress(openbao.address);
  } catch (thrown) {
    if (!(thrown instanceof WardenError)) throw thrown;
    problems.at(['openbao', 'address'], thrown.message, thrown.hint);
  }
  const overTls = openbao.address.startsWith('https:');
  if (openbao.ca_file !== null && !overTls)
    problems.at(['openbao', 'ca_file'], 'ca_file needs an https:// address', 'address: https://…');
  if (openbao.login?.method === 'cert' && !overTls)
    problems.at(['openbao', 'login'], 'a certificate logs in over https:// alone', 'address: https://…');
  if (file.posture === 'prod' && openbao.address.startsWith('http:'))
    problems.warn(
      ['openbao', 'address'],
      'plain http shows the token to the network: use https with ca_file, or unix://',
    );
}

function checkCa(file: WardenFile, problems: Problems): void {
  if (file.ca.next === file.ca.key)
    problems.at(['ca', 'next'], '`next` is the key that signs already', 'another key, or null');
  file.ca.retired.forEach((key, index) => {
    if (key === file.ca.key || key === file.ca.next)
      problems.at(
        ['ca', 'retired', index],
        'a key in use cannot be retired',
        'remove it here, or put another key in use',
      );
  });
}

function checkEndpoint(file: WardenFile, problems: Problems): void {
  const { policy } = file;
  const overUnix = policy.flex_auth_url.startsWith('unix:');
  const overTls = policy.flex_auth_url.startsWith('https:');
  try {
    parseEndpoint(policy.flex_auth_url);
  } catch (thrown) {
    if (!(thrown instanceof WardenError)) throw thrown;
    problems.at(['policy', 'flex_auth_url'], thrown.message, thrown.hint);
  }
  if (policy.auth.peer_uid !== null && !overUnix) {
    problems.at(
      ['policy', 'auth', 'peer_uid'],
      'peer_uid needs a unix:// decision point',
      'flex_auth_url: unix:///path, or https with ca_file',
    );
  }
  if (policy.auth.client_cert !== null && !overTls) {
    problems.at(
      ['policy', 'auth', 'client_cert'],
      'client_cert needs an https:// decision point',
      'flex_auth_url: https://…',
    );
  }
  if (policy.ca_file !== null && !overTls)
    problems.at(['policy', 'ca_file'], 'ca_file needs an https:// decision point', 'flex_auth_url: https://…');
}

function checkClaims(file: WardenFile, problems: Problems): void {
  const { claims, require_claims_for: wanted } = file.policy;
  if (claims.jwks_uri !== null && claims.jwks_file !== null) {
    problems.at(
      ['policy', 'claims', 'jwks_file'],
      '`jwks_uri` and `jwks_file` say the same thing twice',
      'one of the two',
    );
  }
  if (wanted.length === 0) return;
  if (claims.issuer === '')
    problems.at(
      ['policy', 'claims', 'issuer'],
      'require_claims_for needs to know the issuer',
      'issuer: https://key-cape.example.net',
    );
  if (claims.audience === '')
    problems.at(['policy', 'claims', 'audience'], 'require_claims_for needs to know the audience', 'audience: warden');
  if (claims.jwks_uri === null && claims.jwks_file === null) {
    problems.at(
      ['policy', 'claims'],
      "require_claims_for needs the issuer's keys",
      'jwks_uri: https://…, or jwks_file: FILE',
    );
  }
}

function warnOfPolicy(file: WardenFile, problems: Problems): void {
  const { policy } = file;
  if (policy.subject_env !== 'WARDEN_POLICY_SUBJECT')
    problems.warn(
      ['policy', 'subject_env'],
      '`warden` reads WARDEN_POLICY_SUBJECT and no other variable: another name is for clients of your own',
    );
  if (!policy.enabled) return;
  if (!policy.gate.includes('sign'))
    problems.warn(
      ['policy', 'gate'],
      'the gate is on but not asked before a certificate: `sign` is not in policy.gate',
    );
  if (!policy.fail_closed)
    problems.warn(
      ['policy', 'fail_closed'],
      'fail_closed: false releases certificates while the decision point is down',
    );
  if (file.posture !== 'prod') return;
  if (policy.flex_auth_url.startsWith('http:')) {
    problems.warn(
      ['policy', 'flex_auth_url'],
      'plain http does not say who answers: use https with ca_file, or unix:// with auth.peer_uid',
    );
  } else if (policy.flex_auth_url.startsWith('unix:') && policy.auth.peer_uid === null) {
    problems.warn(['policy', 'flex_auth_url'], 'auth.peer_uid is not set: whoever holds the socket answers');
  }
}
