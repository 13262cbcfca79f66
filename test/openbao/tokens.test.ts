import { readFile } from 'node:fs/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { createOpenBaoDouble, type OpenBaoDouble } from '../../src/doubles/openbao-http.ts';
import { createClient } from '../../src/openbao/client.ts';
import type { OpenBaoFault } from '../../src/openbao/fault.ts';
import { createLogin } from '../../src/openbao/login.ts';
import { callAsDaemon } from '../../src/openbao/session.ts';
import type { LoginSettings } from '../../src/openbao/settings.ts';
import { ailingLogin, type TokenStatus } from '../../src/openbao/token-source.ts';
import { Tokens } from '../../src/openbao/tokens.ts';
import { HandClock } from '../policy/support/clock.ts';
import { apiOf } from '../support/openbao.ts';
import { Cleanups, furnish, secretFiles } from './support.ts';

const cleanups = new Cleanups();
afterEach(() => cleanups.run());

/** Time that passes when the test says so; timers run in their order, and what they begin is waited for. */
class HandTime extends HandClock {
  readonly #timers = new Set<{ at: number; run: () => void }>();

  readonly timers = {
    after: (ms: number, run: () => void) => {
      const timer = { at: this.mono + ms, run };
      this.#timers.add(timer);
      return () => this.#timers.delete(timer);
    },
  };

  /** Ends when what a timer began has ended. */
  settle: () => Promise<void> = async () => {};

  get pending(): number {
    return this.#timers.size;
  }

  async advance(ms: number): Promise<void> {
    const end = this.mono + ms;
    for (;;) {
      const [next] = [...this.#timers].sort((a, b) => a.at - b.at);
      if (next === undefined || next.at > end) break;
      this.#timers.delete(next);
      this.pass(next.at - this.mono);
      next.run();
      await this.settle();
    }
    this.pass(end - this.mono);
  }
}

interface Stand {
  readonly double: OpenBaoDouble;
  readonly tokens: Tokens;
  readonly client: ReturnType<typeof createClient>;
  readonly time: HandTime;
  readonly files: Awaited<ReturnType<typeof secretFiles>>;
  readonly states: TokenStatus[];
  /** Logins and renewals that reached the server. */
  asked(what?: string): number;
}

async function stand(ttl = '100s', maxTtl = '1000s', more: { readonly secretId?: string } = {}): Promise<Stand> {
  const time = new HandTime();
  const double = createOpenBaoDouble({ clock: time });
  const { address, close } = await double.listen();
  const { roleId, secretId } = await furnish(apiOf(address, double.state.rootToken), ttl, maxTtl);
  await close();
  const files = await secretFiles(cleanups, { roleId, secretId: more.secretId ?? secretId, good: secretId });
  const login: LoginSettings = {
    method: 'approle',
    mount: 'approle',
    role_id_file: files.path('roleId'),
    secret_id_file: files.path('secretId'),
  };
  return begin(double, time, files, login);
}

function begin(double: OpenBaoDouble, time: HandTime, files: Stand['files'], login: LoginSettings): Stand {
  const client = createClient({
    transport: double.transport,
    basePath: '',
    namespace: null,
    acceptDoubles: true,
  });
  const states: TokenStatus[] = [];
  const before = double.seen.length;
  const tokens = new Tokens({
    login: createLogin(login, client),
    client,
    clock: time,
    timers: time.timers,
    random: () => 0.5,
    onChange: (status) => states.push(status),
  });
  time.settle = () => tokens.settled();
  cleanups.add(() => tokens.close());
  const asked = (what = ''): number => double.seen.slice(before).filter((line) => line.includes(what)).length;
  return { double, tokens, client, time, files, states, asked };
}

const faultOf = (work: Promise<unknown>): Promise<OpenBaoFault> =>
  work.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: OpenBaoFault) => error,
  );

describe('a login that works', () => {
  test('is made once, however many ask at once', async () => {
    const { tokens, asked } = await stand();
    const all = await Promise.all(Array.from({ length: 50 }, () => tokens.current()));
    expect(new Set(all.map((held) => held.accessor)).size).toBe(1);
    expect(asked('login')).toBe(1);
    expect(tokens.status()).toMatchObject({ state: 'ok', method: 'approle', logins: 1, renewals: 0, fault: '' });
  });

  test('is renewed at 70 % of its TTL, and not before', async () => {
    const { tokens, time, asked } = await stand();
    await tokens.current();
    await time.advance(69_000);
    expect(asked('renew-self')).toBe(0);
    await time.advance(2_000);
    expect(asked('renew-self')).toBe(1);
    expect(tokens.status()).toMatchObject({ state: 'ok', logins: 1, renewals: 1 });
  });

  test('is made anew where a renewal meets the maximum, and never lapses on the way', async () => {
    const { tokens, time, asked } = await stand('100s', '150s');
    const first = await tokens.current();
    await time.advance(71_000);
    expect(tokens.status().renewals).toBe(1);
    for (let step = 0; step < 60; step += 1) {
      await time.advance(5_000);
      expect(tokens.status().state).toBe('ok');
    }
    expect((await tokens.current()).accessor).not.toBe(first.accessor);
    // Six minutes of tokens that live 100 to 150 seconds.
    expect(asked('login') + asked('renew-self')).toBeLessThan(14);
  });

  test('is made anew as soon as a renewal meets the maximum: what is left may be less than a second', async () => {
    const { tokens, time, client } = await stand('3s', '3s');
    await tokens.current();
    for (let step = 0; step < 50; step += 1) {
      await time.advance(100);
      // The double refuses a token that has expired, whatever we think of it.
      await callAsDaemon({ client, tokens }, { method: 'GET', path: 'auth/token/lookup-self' });
    }
    expect(tokens.status()).toMatchObject({ state: 'ok', logins: 3, fault: '' });
  });

  test('is made anew where OpenBao no longer knows the token at renewal', async () => {
    const { tokens, time, double, asked } = await stand();
    const first = await tokens.current();
    double.state.tokens.revoke(first.secret.reveal().toString());
    await time.advance(71_000);
    expect(tokens.status()).toMatchObject({ state: 'ok', logins: 2 });
    expect(asked('renew-self')).toBe(1);
  });

  test('overwrites the token that it replaced, once no call can carry it', async () => {
    const { tokens, time, double } = await stand('100s', '150s');
    const { secret } = await tokens.current();
    double.state.tokens.revoke(secret.reveal().toString());
    await time.advance(71_000);
    expect(tokens.status().logins).toBe(2);
    expect(secret.reveal().some((byte) => byte !== 0)).toBe(true);
    await time.advance(60_000);
    expect(secret.reveal().every((byte) => byte === 0)).toBe(true);
    expect((await tokens.current()).secret.reveal().some((byte) => byte !== 0)).toBe(true);
  });

  test('gives its token back at the end', async () => {
    const { tokens, double, asked } = await stand();
    const id = (await tokens.current()).secret.reveal().toString();
    expect(double.state.tokens.find(id)).not.toBeNull();
    await tokens.close();
    expect(asked('revoke-self')).toBe(1);
    expect(double.state.tokens.find(id)).toBeNull();
    expect(tokens.status().state).toBe('closed');
    expect((await faultOf(tokens.current())).message).toContain('no token');
  });
});

describe('a login that is refused', () => {
  test('is not repeated: a day and a thousand requests later it was asked once', async () => {
    const { tokens, time, asked } = await stand('100s', '1000s', { secretId: 'wrong' });
    await tokens.settled();
    for (let request = 0; request < 1_000; request += 1) {
      expect((await faultOf(tokens.current())).kind).toBe('token_invalid');
    }
    await time.advance(86_400_000);
    expect(asked('login')).toBe(1);
    expect(time.pending).toBe(0);
    expect(tokens.status()).toMatchObject({
      state: 'refused',
      accessor: '',
      fault: 'OpenBao rejected the request (invalid role or secret ID)',
    });
  });

  test('is tried again when its file changed, by itself', async () => {
    const { tokens, files, asked, double } = await stand('100s', '1000s', { secretId: 'wrong' });
    await tokens.settled();
    await files.write('secretId', await readFile(files.path('good'), 'utf8'));
    expect((await tokens.current()).accessor).not.toBe('');
    expect(asked('login')).toBe(2);
    expect(double.seen.at(-1)).toBe('POST auth/approle/login');
  });

  test('is tried again when its file changed while the login that is refused was under way', async () => {
    const time = new HandTime();
    const double = createOpenBaoDouble({ clock: time });
    const { address, close } = await double.listen();
    const { roleId, secretId } = await furnish(apiOf(address, double.state.rootToken));
    await close();
    const files = await secretFiles(cleanups, { roleId, secretId: 'wrong' });
    let asked = 0;
    const mended = async (): Promise<void> => {
      asked += 1;
      // The login is on its way with what the file said.
      if (asked === 1) await files.write('secretId', secretId);
    };
    const { exchange, ...transport } = double.transport;
    const client = createClient({
      transport: { ...transport, exchange: (request) => mended().then(() => exchange(request)) },
      basePath: '',
      namespace: null,
      acceptDoubles: true,
    });
    const login = { method: 'approle', mount: 'approle' } as const;
    const paths = { role_id_file: files.path('roleId'), secret_id_file: files.path('secretId') };
    const tokens = new Tokens({ login: createLogin({ ...login, ...paths }, client), client, clock: time });
    cleanups.add(() => tokens.close());
    expect((await tokens.current()).accessor).not.toBe('');
    expect(asked).toBe(2);
  });

  test('is tried again when somebody says so, once', async () => {
    const { tokens, asked } = await stand('100s', '1000s', { secretId: 'wrong' });
    await tokens.settled();
    tokens.retry();
    tokens.retry();
    await tokens.settled();
    expect(asked('login')).toBe(2);
    expect(tokens.status().state).toBe('refused');
  });

  test('leaves a token that is still good in use until it lapses, and says meanwhile what ails it', async () => {
    const { tokens, time, files } = await stand('100s', '100s');
    await tokens.current();
    await files.write('secretId', 'wrong');
    await time.advance(72_000);
    await tokens.settled();
    // The renewal met the maximum; the login after it is refused.
    await time.advance(20_000);
    expect(tokens.status()).toMatchObject({ state: 'refused', logins: 1 });
    expect(ailingLogin(tokens.status())).toMatch(
      /^OpenBao refuses the daemon's login by approle: .*; the token it has is good for 1 min$/,
    );
    await expect(tokens.current()).resolves.toMatchObject({ accessor: expect.stringMatching(/./) });
    await time.advance(20_000);
    expect((await faultOf(tokens.current())).kind).toBe('token_invalid');
  });
});

describe('an OpenBao that does not answer', () => {
  test('is asked with growing pauses, whoever waits, and is back by itself', async () => {
    const { tokens, time, double, asked } = await stand();
    const first = await tokens.current();
    double.state.sealed = true;
    await time.advance(101_000);
    const before = asked();
    for (let request = 0; request < 500; request += 1) {
      expect((await faultOf(tokens.current())).kind).toBe('sealed');
    }
    expect(asked()).toBe(before);
    await time.advance(600_000);
    // 30 s at most between two, 15 s at least: ten minutes are 20 to 40 and a few at the beginning.
    expect(asked() - before).toBeLessThan(45);
    expect(asked() - before).toBeGreaterThan(15);
    expect(tokens.status()).toMatchObject({ state: 'retrying', fault: 'OpenBao is sealed (Vault is sealed)' });
    double.state.sealed = false;
    await time.advance(31_000);
    expect(tokens.status().state).toBe('ok');
    expect((await tokens.current()).accessor).not.toBe(first.accessor);
  });

  test('waits as long as a 429 says', async () => {
    const { tokens, time, double, client, asked } = await stand();
    const first = await tokens.current();
    await time.advance(20_000);
    double.state.tokens.revoke(first.secret.reveal().toString());
    double.state.limit = { path: 'auth/approle/login', rate: 1 };
    double.state.rate = { second: Math.floor(time.now() / 1000), count: 1 };
    const fault = await faultOf(callAsDaemon({ client, tokens }, { method: 'GET', path: 'ssh/roles/agt' }));
    expect([fault.kind, fault.retryAfterMs]).toEqual(['rate_limited', 1_000]);
    await time.advance(990);
    expect(asked('login')).toBe(2);
    await time.advance(20);
    expect(asked('login')).toBe(3);
    expect(tokens.status().state).toBe('ok');
  });

  test('waits no longer once somebody says that it is mended', async () => {
    const { tokens, time, double, asked } = await stand();
    const first = await tokens.current();
    await time.advance(20_000);
    double.state.sealed = true;
    tokens.rejected(first);
    await tokens.settled();
    expect(tokens.status().state).toBe('retrying');
    const before = asked('login');
    double.state.sealed = false;
    tokens.retry();
    await tokens.settled();
    expect(tokens.status().state).toBe('ok');
    expect(asked('login')).toBe(before + 1);
    // And where nothing is wrong, nothing is asked.
    tokens.retry();
    await tokens.settled();
    expect(asked('login')).toBe(before + 1);
  });

  test('a missing file is no request at all', async () => {
    const time = new HandTime();
    const double = createOpenBaoDouble({ clock: time });
    const files = await secretFiles(cleanups, {});
    const { tokens, asked } = begin(double, time, files, {
      method: 'jwt',
      mount: 'jwt',
      role: 'x',
      jwt_file: files.path('none'),
    });
    await tokens.settled();
    await time.advance(600_000);
    expect(asked()).toBe(0);
    expect(tokens.status()).toMatchObject({
      state: 'retrying',
      fault: 'openbao.login.jwt_file cannot be read (ENOENT)',
    });
  });
});

describe('a token that OpenBao does not take', () => {
  const signing = { method: 'POST', path: 'ssh/sign/agt', body: {} } as const;

  test('is replaced, and the call made once more', async () => {
    const { tokens, client, time, double, asked } = await stand();
    const first = await tokens.current();
    await time.advance(20_000);
    double.state.tokens.revoke(first.secret.reveal().toString());
    // The call itself is refused for its empty body: it was taken to the engine, so the token was good.
    const fault = await faultOf(callAsDaemon({ client, tokens }, signing));
    expect([fault.kind, fault.said]).toEqual(['rejected', 'missing public_key']);
    expect([asked('login'), asked('sign')]).toEqual([2, 2]);
  });

  test('is not replaced again and again where every new one is refused too', async () => {
    const { tokens, client, time, double, asked } = await stand();
    await tokens.current();
    const refuseAll = (): void => {
      for (const token of issued(double)) double.state.tokens.revoke(token);
    };
    await time.advance(20_000);
    for (let request = 0; request < 300; request += 1) {
      refuseAll();
      await faultOf(callAsDaemon({ client, tokens }, signing)).catch(() => undefined);
      refuseAll();
    }
    expect(asked('login')).toBeLessThan(5);
    expect(asked('sign')).toBeLessThan(10);
    await time.advance(31_000);
    await expect(tokens.current()).resolves.toBeDefined();
  });

  /** Every token that the double ever gave for a login. */
  function issued(double: OpenBaoDouble): string[] {
    return double.state.tokens.list().filter((id) => id !== double.state.rootToken);
  }
});

describe('a token from a file', () => {
  test('is looked up, never renewed and never given back; a new one in the file is taken up', async () => {
    const time = new HandTime();
    const double = createOpenBaoDouble({ clock: time });
    const made = (ttl: number) =>
      double.state.tokens.create({ policies: ['p'], ttl, path: 'auth/token/create', displayName: 'token' });
    const first = made(100);
    const files = await secretFiles(cleanups, { token: `${first.id}\n` });
    const { tokens, asked } = begin(double, time, files, { method: 'token_file', token_file: files.path('token') });
    expect((await tokens.current()).accessor).toBe(first.accessor);
    const second = made(1_000);
    await files.write('token', second.id);
    await time.advance(75_000);
    await tokens.settled();
    expect((await tokens.current()).accessor).toBe(second.accessor);
    await tokens.close();
    expect([asked('renew-self'), asked('revoke-self')]).toEqual([0, 0]);
    expect(double.state.tokens.find(second.id)).not.toBeNull();
  });

  test('that is no good is asked for once', async () => {
    const time = new HandTime();
    const double = createOpenBaoDouble({ clock: time });
    const files = await secretFiles(cleanups, { token: 's.nothing' });
    const { tokens, asked } = begin(double, time, files, { method: 'token_file', token_file: files.path('token') });
    await tokens.settled();
    await time.advance(86_400_000);
    for (let request = 0; request < 100; request += 1) {
      expect((await faultOf(tokens.current())).kind).toBe('token_invalid');
    }
    expect(asked()).toBe(1);
    expect(tokens.status().state).toBe('refused');
  });
});
