import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOpenBaoStore } from '../../src/access/openbao-store.ts';
import type { SecretStore } from '../../src/access/secret-store.ts';
import type { WardenError } from '../../src/kernel/errors.ts';
import type { LoginSettings } from '../../src/openbao/settings.ts';
import type { Tokens } from '../../src/openbao/tokens.ts';
import { secretValue } from '../support/canary.ts';
import {
  type Api,
  type CountingProxy,
  countingProxy,
  type FileServer,
  fileServer,
  initialise,
  unseal,
} from '../support/openbao.ts';
import { Cleanups, openTestSession, secretFiles } from './support.ts';

// What becomes of OpenBao while eight callers ask without a pause: each request is answered rightly, all is well again by
// itself, and the server, where they are counted, is asked no more often than the callers did.
const CALLERS = 8;
/** A login or two over, none of which is one for each request. */
const LOGINS = 4;
const WORD = secretValue('while-running');

const cleanups = new Cleanups();
let server: FileServer;
let proxy: CountingProxy;
let api: Api;
let keys: readonly string[];
let files: Awaited<ReturnType<typeof secretFiles>>;
let store: SecretStore;
let tokens: Tokens;

const policy = (capabilities: string) =>
  api.ok('PUT', 'sys/policies/acl/reader', { policy: `path "kv/data/*" { capabilities = [${capabilities}] }` });
const role = (more: object) =>
  api.ok('POST', 'auth/approle/role/warden', { token_policies: ['reader'], token_ttl: '1h', ...more });

function open(login: LoginSettings): { store: SecretStore; tokens: Tokens } {
  const session = openTestSession(cleanups, { address: proxy.address, login });
  return { store: createOpenBaoStore({ ...session, tier: 'test' }), tokens: session.tokens };
}

const approle = (): LoginSettings => ({
  method: 'approle',
  mount: 'approle',
  role_id_file: files.path('roleId'),
  secret_id_file: files.path('secretId'),
});

beforeAll(async () => {
  server = await fileServer();
  cleanups.add(server.remove);
  await server.start();
  ({ api, keys } = await initialise(server.address));
  await unseal(api, keys.slice(0, 3));
  await api.ok('POST', 'sys/mounts/kv', { type: 'kv', options: { version: '2' } });
  // A KV engine of version 2 is made ready for a moment after it was mounted.
  while ((await api.call('POST', 'kv/data/word', { body: { data: { word: WORD } } })).status !== 200);
  await policy('"read"');
  await api.ok('POST', 'sys/auth/approle', { type: 'approle' });
  await role({});
  const { role_id: roleId } = await api.ok('GET', 'auth/approle/role/warden/role-id');
  const { secret_id: secretId } = await api.ok('POST', 'auth/approle/role/warden/secret-id', {});
  files = await secretFiles(cleanups, { roleId: String(roleId), secretId: String(secretId) });
  proxy = await countingProxy(server.address);
  cleanups.add(proxy.close);
  ({ store, tokens } = open(approle()));
  await tokens.current();
}, 60_000);
afterAll(() => cleanups.run());

interface Told {
  /** How often each answer came, by `ok` or the code of the refusal. */
  readonly answers: Readonly<Record<string, number>>;
  /** Requests of the callers. */
  readonly made: number;
  /** What reached the server of reads, and of logins and look-ups. */
  readonly reads: number;
  readonly logins: number;
}

/** Resolves when so many more of one answer have come. */
type Until = (answer: string, times?: number) => Promise<void>;

async function whileAsked(at: SecretStore, work: (until: Until) => Promise<unknown>): Promise<Told> {
  const answers: Record<string, number> = {};
  const waiting = new Set<{ answer: string; left: number; resolve: () => void }>();
  const from = proxy.seen.length;
  let ended = false;
  let made = 0;
  const once = async (): Promise<string> => {
    const location = { mount: 'kv', path: 'word', fields: ['word'] };
    const request = { lane: 'openbao-kv', location, fields: ['word'], authority: { as: 'daemon' } } as const;
    try {
      const { fields } = await at.read({ ...request, signal: AbortSignal.timeout(30_000) });
      return fields.get('word')?.reveal().toString() === WORD ? 'ok' : 'another value';
    } catch (error) {
      return (error as WardenError).code ?? String(error);
    }
  };
  const caller = async (): Promise<void> => {
    while (!ended) {
      made += 1;
      const answer = await once();
      answers[answer] = (answers[answer] ?? 0) + 1;
      for (const one of waiting) {
        if (one.answer !== answer) continue;
        one.left -= 1;
        if (one.left > 0) continue;
        waiting.delete(one);
        one.resolve();
      }
      // Refusals that ask nobody would leave the others no turn.
      await new Promise(setImmediate);
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  try {
    await work((answer, times = 50) => new Promise((resolve) => waiting.add({ answer, left: times, resolve })));
  } finally {
    ended = true;
    await Promise.all(callers);
  }
  const seen = proxy.seen.slice(from);
  const reads = seen.filter((line) => line.includes('/v1/kv/')).length;
  return { answers, made, reads, logins: seen.length - reads };
}

test('sealed and unsealed: each is told so or has its value, each asks once, and nobody logs in anew', async () => {
  const told = await whileAsked(store, async (until) => {
    await until('ok');
    await api.ok('PUT', 'sys/seal');
    await until('owner_unavailable');
    await unseal(api, keys.slice(0, 3));
    await until('ok');
  });
  expect(Object.keys(told.answers).sort()).toEqual(['ok', 'owner_unavailable']);
  expect([told.reads, told.logins]).toEqual([told.made, 0]);
});

test('ended and started anew: unreachable, then sealed, then its value, a read tried twice at most', async () => {
  const told = await whileAsked(store, async (until) => {
    await until('ok');
    await server.halt();
    await until('owner_unavailable');
    await server.start();
    await until('owner_unavailable');
    await unseal(api, keys.slice(0, 3));
    await until('ok');
  });
  expect(Object.keys(told.answers).sort()).toEqual(['ok', 'owner_unavailable']);
  expect(told.reads).toBeLessThanOrEqual(2 * told.made);
  expect(told.logins).toBeLessThanOrEqual(LOGINS);
});

test('the token revoked: one login for all, and whoever asks in the pause before it is refused without a request', async () => {
  const { accessor } = await tokens.current();
  const before = tokens.status().logins;
  const told = await whileAsked(store, async (until) => {
    await until('ok');
    await api.ok('POST', 'auth/token/revoke-accessor', { accessor });
    await expect.poll(() => tokens.status().logins, { timeout: 20_000 }).toBe(before + 1);
    await until('ok');
  });
  expect(Object.keys(told.answers).filter((answer) => answer !== 'ok' && answer !== 'owner_refused')).toEqual([]);
  // Those that were on their way with the old token ask once more with the new one.
  expect(told.reads).toBeLessThanOrEqual(told.made + CALLERS);
  expect(told.logins).toBe(1);
});

test('the policy narrowed and widened: refused at once and good again at once, each asks once, and the token is kept', async () => {
  const told = await whileAsked(store, async (until) => {
    await until('ok');
    await policy('"deny"');
    await until('owner_refused');
    await policy('"read"');
    await until('ok');
  });
  expect(Object.keys(told.answers).sort()).toEqual(['ok', 'owner_refused']);
  expect([told.reads, told.logins]).toEqual([told.made, 0]);
});

test('a token that lives five seconds, and can live no longer: a new one is there before it expires', async () => {
  await role({ token_ttl: '5s', token_max_ttl: '5s' });
  const brief = open(approle());
  const told = await whileAsked(brief.store, async (until) => {
    await expect.poll(() => brief.tokens.status().logins, { timeout: 30_000 }).toBe(2);
    await until('ok');
  });
  expect(Object.keys(told.answers)).toEqual(['ok']);
  expect(told.reads).toBe(told.made);
  // Of the logins that we know of, and a renewal that the maximum had no room for before each.
  expect(told.logins).toBeLessThanOrEqual(2 * brief.tokens.status().logins);
  await role({ token_max_ttl: '1h' });
});

test('a token from a file that expired: refused without a request, until a new one is in the file', async () => {
  const made = async (ttl: string): Promise<string> => {
    const { body } = await api.call('POST', 'auth/token/create', {
      body: { policies: ['reader', 'default'], ttl, renewable: false },
    });
    return (body as { auth: { client_token: string } }).auth.client_token;
  };
  await files.write('token', await made('3s'));
  const other = open({ method: 'token_file', token_file: files.path('token') });
  const told = await whileAsked(other.store, async (until) => {
    await until('ok');
    await expect.poll(() => other.tokens.status().state, { timeout: 20_000 }).toBe('refused');
    const before = proxy.seen.length;
    await until('owner_refused', 500);
    // Those that were on their way.
    expect(proxy.seen.length - before).toBeLessThanOrEqual(CALLERS);
    await files.write('token', await made('1h'));
    await until('ok');
  });
  expect(Object.keys(told.answers).sort()).toEqual(['ok', 'owner_refused']);
  expect(told.reads).toBeLessThan(told.made);
  // Look-ups: the first, some as its end comes near, one when it has come, and the new one's.
  expect(told.logins).toBeLessThanOrEqual(2 * LOGINS);
});
