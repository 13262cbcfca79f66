import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TokenStatus } from '../../src/openbao/token-source.ts';
import type { Tokens } from '../../src/openbao/tokens.ts';
import type { AuthorityEvidence } from '../../src/signing/certificate-authority.ts';
import { checkIssued } from '../../src/signing/check-issued.ts';
import { OpenBaoAuthority } from '../../src/signing/openbao-authority.ts';
import { parsePublicKeyLine } from '../../src/ssh/public-key.ts';
import { failure, keyOf } from '../signing/support/subjects.ts';
import {
  type Api,
  type CountingProxy,
  countingProxy,
  type FileServer,
  fileServer,
  initialise,
  unseal,
} from '../support/openbao.ts';
import { Cleanups, furnish, openTestSession, planFor, secretFiles } from './support.ts';

// One story in order: the daemon's session is opened once and never again, whatever becomes of OpenBao.
const cleanups = new Cleanups();
let server: FileServer;
let proxy: CountingProxy;
let api: Api;
let keys: readonly string[];
let tokens: Tokens;
let authority: OpenBaoAuthority;
const evidence: AuthorityEvidence[] = [];
const waiting = new Set<{ state: TokenStatus['state']; resolve: () => void }>();
const seenTokens = new Set<string>();

const sign = async (): Promise<void> => {
  const plan = planFor((await keyOf('ed25519')).publicKey);
  const note = (one: AuthorityEvidence): void => void evidence.push(one);
  checkIssued(await authority.certify(plan, { requestId: 'r', note }), plan, authority);
  seenTokens.add((await tokens.current()).secret.reveal().toString());
};
const refusal = () => failure(sign);
const state = (wanted: TokenStatus['state']): Promise<void> =>
  tokens.status().state === wanted
    ? Promise.resolve()
    : new Promise((resolve) => waiting.add({ state: wanted, resolve }));
/** Requests that reached the server while `work` ran. */
async function during(work: () => Promise<unknown>): Promise<string[]> {
  const from = proxy.seen.length;
  await work();
  return proxy.seen.slice(from);
}

beforeAll(async () => {
  server = await fileServer();
  cleanups.add(server.remove);
  await server.start();
  ({ api, keys } = await initialise(server.address));
  expect(await unseal(api, keys.slice(0, 3))).toBe(false);
  const { roleId, secretId, caKey } = await furnish(api);
  proxy = await countingProxy(server.address);
  cleanups.add(proxy.close);
  const files = await secretFiles(cleanups, { roleId, secretId });
  const login = {
    method: 'approle',
    mount: 'approle',
    role_id_file: files.path('roleId'),
    secret_id_file: files.path('secretId'),
  } as const;
  const session = openTestSession(cleanups, {
    address: proxy.address,
    login,
    onChange: (status) => {
      for (const one of waiting) {
        if (one.state !== status.state) continue;
        waiting.delete(one);
        one.resolve();
      }
    },
  });
  tokens = session.tokens;
  const ssh = { mount: 'ssh', roles: { adm: 'adm', agt: 'agt', atm: 'atm' } };
  authority = new OpenBaoAuthority({ session, ssh, caKey: parsePublicKeyLine(caKey) });
});
afterAll(() => cleanups.run());

test('unsealed with three of five keys, it signs', async () => {
  await sign();
  await expect(authority.ready()).resolves.toBeUndefined();
});

test('sealed while the daemon holds a token: each request is answered rightly, and asked once', async () => {
  await api.ok('PUT', 'sys/seal');
  const seen = await during(async () => {
    for (let request = 0; request < 20; request += 1) {
      const error = await refusal();
      expect([error.code, error.message]).toEqual(['ca_unavailable', 'OpenBao is sealed']);
      expect(error.hint).toContain('bao operator unseal');
    }
  });
  expect(seen).toEqual(Array.from({ length: 20 }, () => 'POST /v1/ssh/sign/agt 503'));
  expect((await failure(() => authority.ready())).message).toBe('OpenBao is sealed');
});

test('two keys are not enough, three are, and the same session signs on', async () => {
  expect(await unseal(api, keys.slice(1, 3))).toBe(true);
  expect((await refusal()).message).toBe('OpenBao is sealed');
  expect(await unseal(api, keys.slice(3, 4))).toBe(false);
  expect(await during(sign)).toEqual(['POST /v1/ssh/sign/agt 200']);
});

test('stopped and started anew: unreachable, sealed, and signing again without a restart of ours', async () => {
  await server.halt();
  for (let request = 0; request < 10; request += 1) {
    const error = await refusal();
    expect([error.code, error.message]).toEqual(['ca_unavailable', 'OpenBao cannot be reached']);
  }
  await server.start();
  expect((await refusal()).message).toBe('OpenBao is sealed');
  expect(await unseal(api, keys.slice(0, 3))).toBe(false);
  expect(await during(sign)).toEqual(['POST /v1/ssh/sign/agt 200']);
});

test('a token that was revoked a while after its login is replaced on the way', async () => {
  const { accessor } = await tokens.current();
  await api.ok('POST', 'auth/token/revoke-accessor', { accessor });
  // It came seconds ago in a test, so the source is careful: it pauses before the next login.
  const seen = await during(async () => {
    const outcome = await sign().then(
      () => 'signed',
      (error: { code: string }) => error.code,
    );
    expect(['signed', 'ca_refused']).toContain(outcome);
    await state('ok');
    await sign();
  });
  expect(seen.filter((line) => line.includes('login'))).toEqual(['POST /v1/auth/approle/login 200']);
  expect(seen.length).toBeLessThan(6);
  expect((await tokens.current()).accessor).not.toBe(accessor);
});

test('a policy that is narrowed refuses at once, and no token is thrown away for it', async () => {
  await api.ok('PUT', 'sys/policies/acl/warden', { policy: 'path "ssh/sign/adm" { capabilities = ["update"] }' });
  const seen = await during(async () => {
    for (let request = 0; request < 10; request += 1) {
      const error = await refusal();
      expect([error.code, error.message]).toEqual([
        'ca_refused',
        "the daemon's token may not sign with this role of OpenBao",
      ]);
    }
  });
  expect(seen).toEqual(Array.from({ length: 10 }, () => 'POST /v1/ssh/sign/agt 403'));
  await api.ok('PUT', 'sys/policies/acl/warden', { policy: 'path "ssh/sign/*" { capabilities = ["update"] }' });
  await sign();
});

test('a secret id that is destroyed while its token lapses is asked for once, and shown', async () => {
  const { accessor } = await tokens.current();
  await api.ok('DELETE', 'auth/approle/role/warden');
  const seen = await during(async () => {
    await api.ok('POST', 'auth/token/revoke-accessor', { accessor });
    await refusal();
    await state('refused');
    for (let request = 0; request < 50; request += 1) {
      const error = await refusal();
      expect([error.code, error.message]).toEqual(['ca_refused', 'OpenBao takes no token of the daemon']);
      expect(error.details.privateDetail).toContain('invalid role or secret ID');
    }
  });
  expect(seen.filter((line) => line.includes('login'))).toEqual(['POST /v1/auth/approle/login 400']);
  expect(tokens.status()).toMatchObject({ state: 'refused', accessor: '' });
  expect(tokens.status().fault).toContain('invalid role or secret ID');
});

test('the audit device knows each signature by the request id that we noted, and nobody wrote a token down', async () => {
  const audit = await readFile(server.auditFile, 'utf8');
  const ids = evidence.flatMap((one) => one.openbao_request_id ?? []);
  expect(ids.length).toBeGreaterThan(4);
  for (const id of ids) expect(audit).toContain(id);
  expect(seenTokens.size).toBeGreaterThan(1);
  const ours = JSON.stringify([evidence, proxy.seen, tokens.status()]);
  for (const token of seenTokens) {
    expect(audit).not.toContain(token);
    expect(ours).not.toContain(token);
  }
});
