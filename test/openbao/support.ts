import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Actor } from '../../src/inventory/actor.ts';
import { connectOpenBao } from '../../src/openbao/connect.ts';
import { createLogin } from '../../src/openbao/login.ts';
import type { OpenBaoSession } from '../../src/openbao/session.ts';
import type { LoginSettings } from '../../src/openbao/settings.ts';
import { Tokens, type TokensOptions } from '../../src/openbao/tokens.ts';
import type { CertificatePlan } from '../../src/signing/certificate-plan.ts';
import { finishPlan } from '../../src/signing/finish-plan.ts';
import { planCertificate } from '../../src/signing/plan.ts';
import type { PublicKey } from '../../src/ssh/public-key.ts';
import { ACTOR } from '../signing/support/subjects.ts';
import type { Api } from '../support/openbao.ts';

/** What a test leaves behind is taken away in the order in which it came, the last first. */
export class Cleanups {
  readonly #all: (() => Promise<unknown> | unknown)[] = [];

  add(cleanup: () => Promise<unknown> | unknown): void {
    this.#all.push(cleanup);
  }

  async run(): Promise<void> {
    for (const cleanup of this.#all.splice(0).reverse()) await cleanup();
  }
}

export async function secretFiles(
  cleanups: Cleanups,
  files: Readonly<Record<string, string>>,
): Promise<{ path: (name: string) => string; write: (name: string, text: string) => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'warden-bao-files-'));
  cleanups.add(() => rm(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name);
  const write = async (name: string, text: string): Promise<void> => {
    await writeFile(path(name), text, { mode: 0o600 });
    await chmod(path(name), 0o600);
  };
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { path, write };
}

export interface SessionWish extends Partial<Omit<TokensOptions, 'login' | 'client'>> {
  readonly address: string;
  readonly login: LoginSettings;
  readonly timeoutMs?: number;
  readonly caFile?: string | null;
  readonly acceptDoubles?: boolean;
}

export function openTestSession(cleanups: Cleanups, wish: SessionWish): OpenBaoSession & { readonly tokens: Tokens } {
  const { address, login, timeoutMs, caFile = null, acceptDoubles = true, ...rest } = wish;
  const client = connectOpenBao({
    settings: { address, ca_file: caFile, namespace: null },
    login,
    acceptDoubles,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
  const tokens = new Tokens({ login: createLogin(login, client), client, ...rest });
  cleanups.add(async () => {
    await tokens.close();
    await client.close();
  });
  return { client, tokens };
}

/** An SSH engine with a CA, roles as the daemon wants them, a policy and an AppRole: `roleId` and `secretId` log in. */
export async function furnish(
  api: Api,
  tokenTtl = '1h',
  maxTtl = '4h',
): Promise<{ roleId: string; secretId: string; caKey: string }> {
  await api.ok('POST', 'sys/mounts/ssh', { type: 'ssh' });
  await api.ok('POST', 'ssh/config/ca', { generate_signing_key: true, key_type: 'ed25519' });
  for (const [name, more] of Object.entries({ adm: {}, agt: {}, atm: {}, 'special.role': { max_ttl: '1h' } })) {
    await api.ok('POST', `ssh/roles/${name}`, { ...DAEMON_ROLE, ...more });
  }
  await api.ok('PUT', 'sys/policies/acl/warden', { policy: 'path "ssh/sign/*" { capabilities = ["update"] }' });
  await api.ok('POST', 'sys/auth/approle', { type: 'approle' });
  await api.ok('POST', 'auth/approle/role/warden', {
    token_policies: ['warden'],
    token_ttl: tokenTtl,
    token_max_ttl: maxTtl,
  });
  const { role_id: roleId } = await api.ok('GET', 'auth/approle/role/warden/role-id');
  const { secret_id: secretId } = await api.ok('POST', 'auth/approle/role/warden/secret-id', {});
  const { public_key: caKey } = await api.ok('GET', 'ssh/config/ca');
  return { roleId: String(roleId), secretId: String(secretId), caKey: String(caKey) };
}

export const DAEMON_ROLE = {
  key_type: 'ca',
  allow_user_certificates: true,
  allow_user_key_ids: true,
  allowed_users: '*',
  allowed_extensions: '*',
  max_ttl: '48h',
};

/** A plan as `sign` makes it, for now. */
export function planFor(publicKey: PublicKey, more: Partial<Actor> = {}, ttlSeconds = 0): CertificatePlan {
  const actor = { ...ACTOR, ...more };
  const requestId = '01900000-0000-7000-8000-000000000001';
  const draft = planCertificate({ actor, publicKey, principals: [], ttlSeconds, now: Date.now(), requestId });
  return finishPlan(draft, { decisionId: 'decision:873c6c682a52bebc', serial: null, posture: 'test' });
}
