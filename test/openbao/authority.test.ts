import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOpenBaoDouble } from '../../src/doubles/openbao-http.ts';
import type { Actor } from '../../src/inventory/actor.ts';
import type { OpenBaoSession } from '../../src/openbao/session.ts';
import { checkPurpose } from '../../src/operations/check-purpose.ts';
import type { AuthorityEvidence } from '../../src/signing/certificate-authority.ts';
import { checkIssued } from '../../src/signing/check-issued.ts';
import { finishPlan } from '../../src/signing/finish-plan.ts';
import { OpenBaoAuthority } from '../../src/signing/openbao-authority.ts';
import { planHostCertificate } from '../../src/signing/plan-host.ts';
import { parsePublicKeyLine } from '../../src/ssh/public-key.ts';
import { failure, keyOf } from '../signing/support/subjects.ts';
import { type Api, apiOf, devServer } from '../support/openbao.ts';
import { ALL_ALGORITHMS, testKey } from '../support/ssh-keys.ts';
import { Cleanups, DAEMON_ROLE, furnish, openTestSession, planFor, secretFiles } from './support.ts';

interface Stand {
  readonly api: Api;
  readonly session: OpenBaoSession;
  readonly authority: OpenBaoAuthority;
}

const ROLES = { adm: 'adm', agt: 'agt', atm: 'atm' };
const cleanups = new Cleanups();
const stands: Record<string, Stand> = {};

async function stand(api: Api): Promise<Stand> {
  const { roleId, secretId, caKey } = await furnish(api);
  const files = await secretFiles(cleanups, { roleId: `${roleId}\n`, secretId: `${secretId}\n` });
  const login = {
    method: 'approle',
    mount: 'approle',
    role_id_file: files.path('roleId'),
    secret_id_file: files.path('secretId'),
  } as const;
  const session = openTestSession(cleanups, { address: api.address, login });
  const ssh = { mount: 'ssh', roles: ROLES };
  return { api, session, authority: new OpenBaoAuthority({ session, ssh, caKey: parsePublicKeyLine(caKey) }) };
}

beforeAll(async () => {
  const real = await devServer();
  cleanups.add(real.stop);
  const double = createOpenBaoDouble();
  const { address, close } = await double.listen();
  cleanups.add(close);
  stands.real = await stand(real);
  stands.double = await stand(apiOf(address, double.state.rootToken));
});
afterAll(() => cleanups.run());

describe.each(['real', 'double'])('OpenBao as certificate authority (%s)', (which) => {
  const at = (): Stand => {
    const found = stands[which];
    if (found === undefined) throw new Error('no such stand');
    return found;
  };
  const failing = async (more: Partial<Actor>, ttlSeconds = 0) => {
    const { publicKey } = await keyOf('ed25519');
    return failure(() => at().authority.certify(planFor(publicKey, more, ttlSeconds), { requestId: 'r' }));
  };

  test('is ready', async () => {
    await expect(at().authority.ready()).resolves.toBeUndefined();
  });

  test.each(ALL_ALGORITHMS)('signs a %s key as planned', async (algorithm) => {
    const { authority } = at();
    const { publicKey } = await testKey(algorithm);
    const plan = planFor(publicKey);
    const blob = await authority.certify(plan, { requestId: 'r' });
    const certificate = checkIssued(blob, plan, authority);
    expect(certificate.keyId).toBe(plan.keyId);
    expect(certificate.serial).toBeGreaterThan(0n);
  });

  test.each<[string, Partial<Actor>, number]>([
    [
      'an administrator with forwarding',
      {
        type: 'adm',
        name: 'adm-a',
        options: {
          sourceAddress: null,
          forceCommand: null,
          verifyRequired: false,
          extensions: ['permit-agent-forwarding', 'permit-port-forwarding', 'permit-pty'],
        },
      },
      0,
    ],
    [
      'two critical options',
      {
        options: {
          sourceAddress: '10.0.0.0/8,192.168.1.1',
          forceCommand: 'internal-sftp -d "/a b"',
          verifyRequired: false,
          extensions: [],
        },
      },
      0,
    ],
    ['one principal', { principals: ['only'] }, 0],
    ['a TTL of one minute', {}, 60],
    ['a role of its own', { openbaoRole: 'special.role' }, 600],
    ['automation', { type: 'atm', name: 'atm-backup' }, 0],
  ])('signs as planned: %s', async (_name, more, ttl) => {
    const { authority } = at();
    const plan = planFor((await keyOf('ed25519')).publicKey, more, ttl);
    expect(checkIssued(await authority.certify(plan, { requestId: 'r' }), plan, authority).keyId).toBe(plan.keyId);
  });

  test('signs as planned: a security key that must verify its user', async () => {
    const { authority } = at();
    const { publicKey } = await testKey('sk-ssh-ed25519@openssh.com');
    const options = { sourceAddress: null, forceCommand: null, verifyRequired: true, extensions: [] };
    const plan = planFor(publicKey, { options });
    const certificate = checkIssued(await authority.certify(plan, { requestId: 'r' }), plan, authority);
    expect(certificate.criticalOptions).toEqual([['verify-required', '']]);
  });

  test('notes path, request id and accessor, and never the token', async () => {
    const { authority, session } = at();
    const notes: AuthorityEvidence[] = [];
    const plan = planFor((await keyOf('ed25519')).publicKey);
    await authority.certify(plan, { requestId: 'r', note: (evidence) => notes.push(evidence) });
    const held = await session.tokens.current();
    expect(Object.assign({}, ...notes)).toEqual({
      openbao_path: 'ssh/sign/agt',
      openbao_request_id: expect.stringMatching(/^(synthetic-)?[0-9a-f-]{36}$/),
      token_accessor: held.accessor,
    });
    expect(held.accessor).not.toBe('');
    expect(JSON.stringify(notes)).not.toContain(held.secret.reveal().toString());
  });

  test('a TTL above the role is refused, naming max_ttl', async () => {
    const error = await failing({ openbaoRole: 'special.role' }, 7200);
    expect(error.code).toBe('ca_refused');
    expect(error.message).toBe(
      'OpenBao refused the certificate: max_ttl of role special.role is below the TTL asked for',
    );
    expect(error.hint).toContain('warden openbao setup --dry-run');
    expect(error.details.privateDetail).toContain('HTTP 400; ttl is larger than maximum allowed 3600');
  });

  test.each<[string, Record<string, unknown>, Partial<Actor>, RegExp, RegExp]>([
    ['refuses key_id', { allow_user_key_ids: false }, {}, /allow_user_key_ids of role odd must be true/, /setup/],
    [
      'does not list the principal',
      { allowed_users: 'somebody' },
      {},
      /allowed_users of role odd does not list/,
      /setup/,
    ],
    ['lists no principal', { allowed_users: '' }, {}, /allowed_users of role odd is empty/, /setup/],
    [
      'signs for hosts alone',
      { allow_user_certificates: false, allow_host_certificates: true },
      {},
      /allow_user_certificates of role odd/,
      /setup/,
    ],
    [
      'does not list the critical option',
      { allowed_critical_options: 'source-address' },
      { options: { sourceAddress: null, forceCommand: 'id', verifyRequired: false, extensions: [] } },
      /allowed_critical_options of role odd/,
      /setup/,
    ],
    [
      'lists no extension',
      { allowed_extensions: '' },
      { options: { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions: ['permit-pty'] } },
      /allowed_extensions of role odd/,
      /setup/,
    ],
    [
      'takes rsa keys alone',
      { allowed_user_key_lengths: { rsa: 4096 } },
      {},
      /allowed_user_key_lengths of role odd/,
      /setup/,
    ],
    [
      'adds default extensions',
      { default_extensions: { 'permit-pty': '' } },
      {},
      /role odd of the SSH engine adds extension "permit-pty"/,
      /default_extensions/,
    ],
    [
      'adds default critical options',
      { default_critical_options: { 'force-command': 'id' } },
      {},
      /role odd of the SSH engine adds option "force-command"/,
      /default_critical_options/,
    ],
  ])('a role that %s is named with its setting', async (_name, role, more, message, hint) => {
    await at().api.ok('POST', 'ssh/roles/odd', { ...DAEMON_ROLE, ...role });
    const error = await failing({ ...more, openbaoRole: 'odd' });
    expect(error.code).toBe('ca_refused');
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  test('a role that is not there is refused by name', async () => {
    const error = await failing({ openbaoRole: 'nobody' });
    expect([error.code, error.message]).toEqual([
      'ca_refused',
      'OpenBao refused the certificate: the engine has no role nobody: openbao.ssh.roles in warden.yaml names it',
    ]);
  });

  test('an engine at another mount that the policy does not reach is refused', async () => {
    const { session } = at();
    const caKey = (await keyOf('ed25519')).publicKey;
    const elsewhere = new OpenBaoAuthority({ session, ssh: { mount: 'team/ssh', roles: ROLES }, caKey });
    const error = await failure(() => elsewhere.certify(planFor(caKey), { requestId: 'r' }));
    expect([error.code, error.message]).toEqual([
      'ca_refused',
      "the daemon's token may not sign with this role of OpenBao",
    ]);
    expect(error.hint).toContain('update on team/ssh/sign/agt');
  });

  test('a CA other than the pinned one is a mismatch', async () => {
    const { session } = at();
    const caKey = (await keyOf('ecdsa-p256')).publicKey;
    const pinned = new OpenBaoAuthority({ session, ssh: { mount: 'ssh', roles: ROLES }, caKey });
    const plan = planFor((await keyOf('ed25519')).publicKey);
    const error = await failure(async () => checkIssued(await pinned.certify(plan, { requestId: 'r' }), plan, pinned));
    expect(error.code).toBe('ca_mismatch');
    expect(error.details.privateDetail).toContain('signature key');
  });

  test('a hundred at once come back each for its own key', async () => {
    const { authority } = at();
    const { publicKey } = await keyOf('ed25519');
    const plans = Array.from({ length: 100 }, (_, index) => planFor(publicKey, { principals: [`p${index}`] }));
    const blobs = await Promise.all(plans.map((plan) => authority.certify(plan, { requestId: 'r' })));
    const serials = new Set(
      plans.map((plan, index) => String(checkIssued(blobs[index] ?? Buffer.alloc(0), plan, authority).serial)),
    );
    expect(serials.size).toBe(100);
  });
});

describe('hosts, by a role of the real engine', () => {
  const planned = async (names: readonly string[]) => {
    const { publicKey } = await keyOf('ed25519');
    const host = {
      host: 'bastion-1',
      allowed: names,
      maxTtlSeconds: 720 * 3600,
      publicKey,
      principals: [],
      ttlSeconds: 0,
    };
    const draft = planHostCertificate({ ...host, now: Date.now(), requestId: '01900000-0000-7000-8000-000000000001' });
    return finishPlan(draft, { decisionId: null, serial: null, posture: 'test' });
  };
  const authority = (hostRole: string | null): OpenBaoAuthority => {
    const { real } = stands;
    if (real === undefined) throw new Error('no such stand');
    const caKey = real.authority.keys()[0]?.publicKey;
    if (caKey === undefined) throw new Error('no key');
    return new OpenBaoAuthority({
      session: real.session,
      ssh: { mount: 'ssh', roles: ROLES, host_role: hostRole },
      caKey,
    });
  };

  test('a host certificate is as planned, under the role that is named for hosts', async () => {
    await stands.real?.api.ok('POST', 'ssh/roles/hosts', {
      key_type: 'ca',
      allow_host_certificates: true,
      allow_user_key_ids: true,
      allowed_domains: 'bastion-1.example.net',
      allow_bare_domains: true,
      max_ttl: '720h',
    });
    const plan = await planned(['bastion-1.example.net']);
    const certificate = checkIssued(
      await authority('hosts').certify(plan, { requestId: 'r' }),
      plan,
      authority('hosts'),
    );
    expect(certificate).toMatchObject({ kind: 'host', keyId: plan.keyId, principals: ['bastion-1.example.net'] });
    await expect(
      failure(async () => authority('hosts').certify(await planned(['other.example.net']), { requestId: 'r' })),
    ).resolves.toMatchObject({ code: 'ca_refused' });
  });

  test('without such a role no host is signed for, and nobody is asked', async () => {
    expect(authority(null).certifiesHosts).toBe(false);
    expect(
      await failure(async () => authority(null).certify(await planned(['x.example.net']), { requestId: 'r' })),
    ).toMatchObject({ code: 'host_unsupported' });
    expect(() => checkPurpose('host', authority(null))).toThrow(expect.objectContaining({ code: 'host_unsupported' }));
  });
});
