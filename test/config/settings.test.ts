import { describe, expect, test } from 'vitest';
import { goodSettings, seen, settingsOf } from './support.ts';

describe('warden.yaml', () => {
  test('has every default of the contract', () => {
    expect(goodSettings('version: 1\nposture: prod\n')).toEqual({
      posture: 'prod',
      backend: 'local',
      ca: { key: '/etc/warden/ca_ed25519', next: null, retired: [] },
      ttlCeilingsSeconds: { adm: 172_800, agt: 86_400, atm: 28_800 },
      socket: { mode: 0o600, group: null },
      admins: null,
      auditors: [],
      policy: {
        enabled: false,
        protocol: 'flex-auth',
        url: 'http://127.0.0.1:8080',
        caFile: null,
        failClosed: true,
        tenant: 'tenant:platform',
        subjectEnv: 'WARDEN_POLICY_SUBJECT',
        system: 'ops-warden',
        gate: ['sign'],
        auth: { bearerFile: null, clientCert: null, peerUid: null },
        timeoutMs: 2_000,
        cacheTtlMs: 30_000,
        healthPath: null,
        requireClaimsFor: [],
        claims: { issuer: '', audience: '', jwksUri: null, jwksFile: null, clockSkewMs: 60_000 },
        breakGlass: { callers: [], maxMs: 3_600_000 },
      },
      limits: {
        perCallerRatePerSecond: 50,
        perCallerConcurrency: 32,
        connections: 1024,
        execConcurrency: 16,
        execOutputBytesPerSecond: 268_435_456,
      },
      ledger: { rotateBytes: 67_108_864, checkpointEvery: 1000 },
      metrics: { listen: 'off' },
      alerts: null,
      telemetry: null,
      recording: { types: [], dir: null, retentionMs: 2_592_000_000, maxBytes: 268_435_456 },
      openbao: null,
    });
  });

  test('resolves names, paths, durations and sizes', () => {
    const settings = goodSettings(
      `version: 1
posture: test
ca: { key: keys/ca, next: "credential:next", retired: ["agent:SHA256:${'A'.repeat(43)}"] }
ttl_ceilings_hours: { atm: 0.5 }
socket: { mode: "0660", group: warden }
admins: [{ user: hub, exe_sha256: ${'AB'.repeat(32)} }]
policy: { flex_auth_url: "https://pdp.example.net/base", ca_file: pki/ca.pem, auth: { client_cert: { cert_file: c.pem, key_file: /k.pem } }, timeout: 500ms }
openbao: { login: { method: approle, role_id_file: role, secret_id_file: /run/secret } }
limits: { per_caller_rate: 90/m }
ledger: { rotate: 1GiB }
`,
    );
    expect(settings.ca).toEqual({
      key: '/etc/warden/keys/ca',
      next: 'credential:next',
      retired: [`agent:SHA256:${'A'.repeat(43)}`],
    });
    expect(settings.ttlCeilingsSeconds).toEqual({ adm: 172_800, agt: 86_400, atm: 1_800 });
    expect(settings.socket).toEqual({ mode: 0o660, group: 990 });
    expect(settings.admins).toEqual([{ uid: 1001, exeSha256: 'ab'.repeat(32) }]);
    expect(settings.policy.caFile).toBe('/etc/warden/pki/ca.pem');
    expect(settings.policy.auth.clientCert).toEqual({ certFile: '/etc/warden/c.pem', keyFile: '/k.pem' });
    expect(settings.policy.timeoutMs).toBe(500);
    expect(settings.openbao?.login).toEqual({
      method: 'approle',
      mount: 'approle',
      role_id_file: '/etc/warden/role',
      secret_id_file: '/run/secret',
    });
    expect(settings.openbao?.ssh.ca_public_key).toBe('/etc/warden/ca.pub');
    expect(settings.limits.perCallerRatePerSecond).toBe(1.5);
    expect(settings.ledger.rotateBytes).toBe(1_073_741_824);
  });

  const HEAD = 'version: 1\nposture: test\n';
  test.each([
    ['nothing at all', '', ['1:1: the file is empty', 'version: 1']],
    ['only comments', '# nothing\n', ['1:1: the file is empty', 'version: 1']],
    ['a list in place of a map', '- a\n', ['1:1: the file must be a map of keys', 'version: 1']],
    ['no version', 'posture: dev\n', ['1:1: `version` is missing', 'version: 1']],
    [
      'another version',
      'version: 2\nposture: dev\n',
      ['1:10: `version`: this daemon reads version 1 of the file', 'version: 1'],
    ],
    [
      'a version in quotes',
      'version: "1"\nposture: dev\n',
      ['1:10: `version`: must be a number, not a text', 'a number without quotes'],
    ],
    ['no posture', 'version: 1\n', ['1:1: `posture` is missing', 'posture: one of dev, test, prod']],
    ['a mistyped posture', 'version: 1\nposture: pord\n', ['2:10: `posture`: must be one of dev, test, prod', 'prod']],
    [
      'a mistyped key',
      `${HEAD}polcy: {}\n`,
      ['3:1: unknown key `polcy`; the nearest known key is `policy`', 'policy:'],
    ],
    [
      'a mistyped key further in',
      `${HEAD}policy:\n  enabeld: true\n`,
      ['4:3: unknown key `enabeld`; the nearest known key is `enabled`', 'enabled:'],
    ],
    [
      'a dash in place of an underscore',
      `${HEAD}policy: { fail-closed: true }\n`,
      ['3:11: unknown key `fail-closed`; the nearest known key is `fail_closed`', 'fail_closed:'],
    ],
    [
      'a key like nothing',
      `${HEAD}socket: { zzzzzz: 1 }\n`,
      ['3:11: unknown key `zzzzzz`', 'one of the keys that stand here: mode, group'],
    ],
    [
      'a key named __proto__',
      `${HEAD}socket: { __proto__: 1 }\n`,
      ['3:11: unknown key `__proto__`', 'one of the keys that stand here: mode, group'],
    ],
    [
      'a key written twice',
      `${HEAD}posture: dev\n`,
      ['3:1: the key `posture` stands twice in this map', 'keep one of the two'],
    ],
    [
      'a section without content',
      `${HEAD}limits:\n`,
      ['3:1: `limits`: must be a map, not empty', 'keys and values, indented below it'],
    ],
    [
      'a mode without quotes',
      `${HEAD}socket: { mode: 0600 }\n`,
      ['3:17: `mode`: must be a text, not a number', 'a text, in quotes where it looks like a number'],
    ],
    [
      'a mode for everyone',
      `${HEAD}socket: { mode: "0666" }\n`,
      ['3:17: `mode`: not a mode that keeps others out', 'in quotes: "0600", or "0660" with a group'],
    ],
    [
      'a group that does not exist',
      `${HEAD}socket: { group: nosuch }\n`,
      ['3:18: there is no group `nosuch` on this machine', 'a group that exists, or its number'],
    ],
    [
      'a duration without its unit',
      `${HEAD}policy: { timeout: 2 }\n`,
      ['3:20: `timeout`: must be a text, not a number', 'a text, in quotes where it looks like a number'],
    ],
    [
      'a duration out of bounds',
      `${HEAD}policy: { timeout: 2h }\n`,
      ['3:20: `timeout`: not a duration from 10ms to 60s', 'a number and its unit: 500ms, 2s, 90m, 8h'],
    ],
    [
      'a size that is none',
      `${HEAD}ledger: { rotate: 64MB }\n`,
      ['3:19: `rotate`: not a size from 4KiB to 16GiB', 'a number and its unit: 512KiB, 64MiB'],
    ],
    [
      'a rate that is none',
      `${HEAD}limits: { per_caller_rate: 50 }\n`,
      ['3:28: `per_caller_rate`: must be a text, not a number', 'a text, in quotes where it looks like a number'],
    ],
    [
      'a fraction of a connection',
      `${HEAD}limits: { connections: 1.5 }\n`,
      ['3:24: `connections`: not a whole number from 1 to 65536', 'a whole number from 1 to 65536'],
    ],
    [
      'a ceiling of nothing',
      `${HEAD}ttl_ceilings_hours: { adm: 0 }\n`,
      ['3:28: `adm`: not a number of hours above 0 and up to 8760', 'hours as a number, fractions allowed: 8, 0.5'],
    ],
    [
      'OpenBao as the backend, and nothing said of it',
      `${HEAD}backend: openbao\n`,
      [
        '3:10: signing through OpenBao needs an `openbao:` block',
        'openbao: { address: https://HOST:8200, login: { method: approle, role_id_file: …, secret_id_file: … } }',
      ],
    ],
    [
      'OpenBao as the backend, and no login',
      `${HEAD}backend: openbao\nopenbao: { address: "https://bao.example.net" }\n`,
      [
        '4:10: signing through OpenBao needs openbao.login: a token of the daemon',
        'openbao: { address: https://HOST:8200, login: { method: approle, role_id_file: …, secret_id_file: … } }',
      ],
    ],
    [
      'a CA file for an OpenBao over plain http',
      `${HEAD}openbao: { address: "http://127.0.0.1:8200", ca_file: ca.pem }\n`,
      ['3:55: ca_file needs an https:// address', 'address: https://…'],
    ],
    [
      'a login by certificate over a Unix socket',
      `${HEAD}openbao: { address: "unix:///run/bao.sock", login: { method: cert, cert_file: c, key_file: k } }\n`,
      ['3:52: a certificate logs in over https:// alone', 'address: https://…'],
    ],
    [
      'an agent key by MD5',
      `${HEAD}ca: { key: "agent:MD5:00:11" }\n`,
      [
        '3:12: `key`: not a CA key: neither a path, `credential:NAME` nor `agent:SHA256:…`',
        'a file such as ca_ed25519, credential:NAME, or agent: and the fingerprint that `ssh-keygen -l` prints',
      ],
    ],
    [
      'a credential outside its folder',
      `${HEAD}ca: { key: "credential:../x" }\n`,
      [
        '3:12: `key`: not a CA key: neither a path, `credential:NAME` nor `agent:SHA256:…`',
        'a file such as ca_ed25519, credential:NAME, or agent: and the fingerprint that `ssh-keygen -l` prints',
      ],
    ],
    [
      'a next key that signs already',
      `${HEAD}ca: { key: a, next: a }\n`,
      ['3:21: `next` is the key that signs already', 'another key, or null'],
    ],
    [
      'a retired key in use',
      `${HEAD}ca: { key: a, retired: [a] }\n`,
      ['3:25: a key in use cannot be retired', 'remove it here, or put another key in use'],
    ],
    [
      'an empty selector',
      `${HEAD}admins: [{}]\n`,
      ['3:10: `admins`: an empty selector would admit everyone', 'at least one key, such as { uid: 1000 }'],
    ],
    [
      'a user that does not exist',
      `${HEAD}admins: [{ user: nosuch }]\n`,
      ['3:18: there is no user `nosuch` on this machine', 'a user that exists, or uid: and its number'],
    ],
    [
      'uid and user together',
      `${HEAD}auditors: [{ uid: 1, user: hub }]\n`,
      ['3:28: `user`: `uid` and `user` say the same thing twice', 'one of the two'],
    ],
    [
      'a user unit of anyone',
      `${HEAD}auditors: [{ user_unit: x.service }]\n`,
      ['3:25: `user_unit`: `user_unit` alone would admit every user who names a unit so', '`uid` or `user` beside it'],
    ],
    [
      'a unit that is a template',
      `${HEAD}auditors: [{ unit: x@.service }]\n`,
      ['3:20: `unit`: the name of a template, which never runs', 'an instance, such as worker@1.service'],
    ],
    [
      'a unit without its suffix',
      `${HEAD}auditors: [{ unit: backup }]\n`,
      ['3:20: `unit`: not the name of a service or scope unit', 'the whole name, such as backup.service'],
    ],
    [
      'a relative executable',
      `${HEAD}auditors: [{ exe: bin/x }]\n`,
      [
        '3:19: `exe`: not an absolute path in its plain form',
        'an absolute path without `..`, `.`, `//` or a slash at its end, such as /usr/bin/git',
      ],
    ],
    [
      'an executable with dots in its path',
      `${HEAD}auditors: [{ exe: /usr/../bin/x }]\n`,
      [
        '3:19: `exe`: not an absolute path in its plain form',
        'an absolute path without `..`, `.`, `//` or a slash at its end, such as /usr/bin/git',
      ],
    ],
    [
      'a short digest',
      `${HEAD}auditors: [{ exe_sha256: abc }]\n`,
      ['3:26: `exe_sha256`: not a SHA-256 digest', '64 hexadecimal digits, as `sha256sum FILE` prints'],
    ],
    [
      'a uid that is minus one',
      `${HEAD}auditors: [{ uid: 4294967295 }]\n`,
      ['3:19: `uid`: not a whole number from 0 to 4294967294', 'a whole number from 0 to 4294967294'],
    ],
    [
      'a decision point over ftp',
      `${HEAD}policy: { flex_auth_url: "ftp://x" }\n`,
      [
        '3:26: `flex_auth_url`: not a base URL: http, https or unix:///path, without user, query or fragment',
        'http://127.0.0.1:8080 or unix:///run/flex-auth.sock',
      ],
    ],
    [
      'a password in a URL',
      `${HEAD}policy: { flex_auth_url: "http://u:hunter2@x" }\n`,
      [
        '3:26: `flex_auth_url`: not a base URL: http, https or unix:///path, without user, query or fragment',
        'http://127.0.0.1:8080 or unix:///run/flex-auth.sock',
      ],
    ],
    [
      'peer_uid over TCP',
      `${HEAD}policy: { auth: { peer_uid: 0 } }\n`,
      ['3:29: peer_uid needs a unix:// decision point', 'flex_auth_url: unix:///path, or https with ca_file'],
    ],
    [
      'a client certificate over http',
      `${HEAD}policy: { auth: { client_cert: { cert_file: a, key_file: b } } }\n`,
      ['3:32: client_cert needs an https:// decision point', 'flex_auth_url: https://…'],
    ],
    [
      'a gated action that is none',
      `${HEAD}policy: { gate: [sing] }\n`,
      ['3:18: `gate`: must be one of sign, fetch, exec, host', 'sign'],
    ],
    [
      'a gated action twice',
      `${HEAD}policy: { gate: [sign, sign] }\n`,
      ['3:24: `gate`: `sign` stands twice in this list', 'each entry once'],
    ],
    [
      'two sources of keys',
      `${HEAD}policy: { claims: { jwks_uri: "https://x/j", jwks_file: f } }\n`,
      ['3:57: `jwks_uri` and `jwks_file` say the same thing twice', 'one of the two'],
    ],
    [
      'a break-glass for a week',
      `${HEAD}policy: { break_glass: { max: 7d } }\n`,
      ['3:31: `max`: not a duration from 1m to 24h', 'a number and its unit: 500ms, 2s, 90m, 8h'],
    ],
    [
      'a login that is none',
      `${HEAD}openbao: { login: { method: aprole } }\n`,
      ['3:29: `method`: must be one of token_file, approle, jwt, kubernetes, cert', 'approle'],
    ],
    [
      'a login without its file',
      `${HEAD}openbao: { login: { method: token_file } }\n`,
      ['3:19: `token_file` is missing', 'token_file: with a text'],
    ],
    [
      'metrics for the world',
      `${HEAD}metrics: { listen: "0.0.0.0:9090" }\n`,
      ['3:20: `listen`: not a place to listen', 'off, unix:///path or 127.0.0.1:PORT'],
    ],
    [
      'a tab as indentation',
      `${HEAD}policy:\n\tenabled: true\n`,
      ['4:1: not valid YAML: tabs are not allowed as indentation', 'indent with spaces'],
    ],
    [
      'two documents',
      `${HEAD}---\nversion: 1\n`,
      [
        '3:1: not valid YAML: source contains multiple documents; please use YAML.parseAllDocuments()',
        'keep one document: remove the `---` lines and what follows them',
      ],
    ],
    [
      'a tag',
      `${HEAD}backend: !!js/function x\n`,
      ['3:10: unresolved tag: tag:yaml.org,2002:js/function', 'write the value without a tag'],
    ],
    [
      'an alias without its anchor',
      `${HEAD}admins: *nobody\n`,
      ['3:9: the alias `*nobody` names no anchor before it', 'write the value itself'],
    ],
    [
      'an alias inside its own anchor',
      `${HEAD}admins: &x [*x]\n`,
      ['3:13: the alias `*x` names no anchor before it', 'write the value itself'],
    ],
    [
      'a merge key',
      `${HEAD}policy: { <<: { enabled: true } }\n`,
      [
        '3:11: unknown key `<<`',
        'one of the keys that stand here: enabled, protocol, flex_auth_url, ca_file, fail_closed, tenant, subject_env, system, gate, auth, timeout, cache_ttl, health_path, require_claims_for, claims, break_glass',
      ],
    ],
    ['a map as a key', `${HEAD}? { a: 1 }\n: 2\n`, ['3:3: a key must be a plain text', 'write `key: value`']],
    ['YAML 1.1', `%YAML 1.1\n---\n${HEAD}`, ['1:1: only YAML 1.2 is read', 'remove the %YAML line']],
  ] as const)('%s is named with its place and mend', (_name, text, [where, hint]) => {
    const parsed = settingsOf(text);
    expect(seen(parsed)).toEqual([[`warden.yaml:${where}`, hint]]);
    expect(parsed.settings).toBeNull();
  });

  test('every problem is reported, in the order of the file', () => {
    const parsed = settingsOf('version: 3\npostur: dev\nadmins: [{}, { uid: -1 }]\nlimits: { connections: many }\n');
    expect(seen(parsed).map(([where]) => where.split(': ')[0])).toEqual([
      'warden.yaml:1:1',
      'warden.yaml:1:10',
      'warden.yaml:2:1',
      'warden.yaml:3:10',
      'warden.yaml:3:21',
      'warden.yaml:4:24',
    ]);
  });

  test('require_claims_for says all that it needs', () => {
    expect(seen(settingsOf('version: 1\nposture: test\npolicy:\n  require_claims_for: [adm]\n'))).toEqual([
      ['warden.yaml:4:3: require_claims_for needs to know the issuer', 'issuer: https://key-cape.example.net'],
      ['warden.yaml:4:3: require_claims_for needs to know the audience', 'audience: warden'],
      ["warden.yaml:4:3: require_claims_for needs the issuer's keys", 'jwks_uri: https://…, or jwks_file: FILE'],
    ]);
  });

  test('a value is never repeated in a message: it might be a secret in the wrong place', () => {
    const text =
      'version: 1\nposture: hunter2\nca: { key: [hunter2] }\npolicy: { timeout: hunter2, tenant: hunter2, flex_auth_url: hunter2 }\nlimits: { connections: hunter2 }\n';
    const parsed = settingsOf(text);
    expect(parsed.problems).toHaveLength(6);
    expect(JSON.stringify(parsed)).not.toContain('hunter2');
  });

  test.each([
    [
      'plain http in prod',
      'version: 1\nposture: prod\npolicy: { enabled: true }\n',
      ['warden.yaml:3:9: plain http does not say who answers: use https with ca_file, or unix:// with auth.peer_uid'],
    ],
    [
      'a Unix socket of anyone in prod',
      'version: 1\nposture: prod\npolicy: { enabled: true, flex_auth_url: "unix:///run/x" }\n',
      ['warden.yaml:3:41: auth.peer_uid is not set: whoever holds the socket answers'],
    ],
    [
      'an open gate',
      'version: 1\nposture: dev\npolicy: { enabled: true, fail_closed: false }\n',
      ['warden.yaml:3:39: fail_closed: false releases certificates while the decision point is down'],
    ],
    [
      'a variable that the client does not read',
      'version: 1\nposture: dev\npolicy: { subject_env: IAM_SUBJECT }\n',
      [
        'warden.yaml:3:24: `warden` reads WARDEN_POLICY_SUBJECT and no other variable: another name is for clients of your own',
      ],
    ],
    [
      'a gate that does not cover sign',
      'version: 1\nposture: dev\npolicy: { enabled: true, gate: [] }\n',
      ['warden.yaml:3:32: the gate is on but not asked before a certificate: `sign` is not in policy.gate'],
    ],
    [
      'an interpreter among the admins',
      'version: 1\nposture: dev\nadmins: [{ exe: /usr/bin/python3 }]\n',
      ['warden.yaml:3:17: /usr/bin/python3 is an interpreter: it admits every script of that user'],
    ],
    [
      'an OpenBao of another tier',
      'version: 1\nposture: dev\nopenbao: { tier: prod }\n',
      ['warden.yaml:3:18: openbao.tier differs from posture: fetch and exec are refused'],
    ],
    [
      'a group that the mode keeps out',
      'version: 1\nposture: dev\nsocket: { group: warden }\n',
      ['warden.yaml:3:18: the group gets nothing from socket.mode: write mode "0660"'],
    ],
    [
      'a collector elsewhere over plain http in prod, whatever its name begins with',
      'version: 1\nposture: prod\ntelemetry: { otlp: "http://localhost.example.net:4318" }\n',
      ['warden.yaml:3:20: plain http shows to the network who gets what: use https, or a collector on this machine'],
    ],
    [
      'a collector on this machine in prod',
      'version: 1\nposture: prod\ntelemetry: { otlp: "http://127.0.0.1:4318" }\n',
      [],
    ],
    ['the gate off in prod', 'version: 1\nposture: prod\n', []],
  ] as const)('%s: a warning where one is due', (_name, text, warnings) => {
    const parsed = settingsOf(text);
    expect(parsed.problems).toEqual([]);
    expect(parsed.warnings).toEqual(warnings);
  });

  test('a byte order mark is passed over', () => {
    expect(goodSettings('\ufeffversion: 1\nposture: dev\n').posture).toBe('dev');
  });

  test('bytes that are no UTF-8 are refused', () => {
    expect(seen(settingsOf(Uint8Array.of(0x61, 0xff)))).toEqual([
      ['warden.yaml:1:1: the file is not UTF-8', 'the file in UTF-8'],
    ]);
  });

  test('a bomb of aliases is refused by its size once written out', () => {
    const rows = ['a: &a0 [x, x, x, x, x, x, x, x, x, x]'];
    for (let level = 1; level < 12; level += 1)
      rows.push(`b${level}: &a${level} [${Array.from({ length: 10 }, () => `*a${level - 1}`).join(', ')}]`);
    const parsed = settingsOf(`${rows.join('\n')}\n`);
    expect(parsed.problems.map((problem) => problem.message)).toEqual(['the file holds too many values']);
  });

  test('nesting is bounded', () => {
    const parsed = settingsOf(`a: ${'['.repeat(40)}${']'.repeat(40)}\n`);
    expect(parsed.problems.map((problem) => problem.message)).toEqual(['nested deeper than 32 levels']);
    const deep = settingsOf(`a: ${'['.repeat(5000)}${']'.repeat(5000)}\n`);
    expect(deep.problems.map((problem) => problem.message)).toEqual(['nested too deep']);
  });
});

test('the digest is the same however the keys are ordered', () => {
  const one = settingsOf(
    'version: 1\nposture: test\nadmins: [{ uid: 1, exe: /usr/bin/git }]\nopenbao: { login: { method: jwt, role: r, jwt_file: f }, address: "https://b:1" }\nlimits: { connections: 2, exec_concurrency: 3 }\n',
  );
  const other = settingsOf(
    'limits: { exec_concurrency: 3, connections: 2 }\nopenbao: { address: "https://b:1", login: { jwt_file: f, role: r, method: jwt } }\nadmins: [{ exe: /usr/bin/git, uid: 1 }]\nposture: test\nversion: 1\n',
  );
  expect(one.problems).toEqual([]);
  expect(other.digest).toBe(one.digest);
  expect(settingsOf('version: 1\nposture: test\n').digest).not.toBe(one.digest);
});
