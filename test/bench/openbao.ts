import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'undici';
import { parseCertificateLine } from '../../src/ssh/certificate.ts';
import { parsePublicKeyLine } from '../../src/ssh/public-key.ts';
import { BAO, devServer, type RealServer } from '../support/openbao.ts';
import { Caller } from './load.ts';
import { type Config, keyPair, type Program, startFloor, startProgram, writeConfig } from './programs.ts';
import type { Benchmark, Measured } from './stats.ts';

const CALLS = 200;
const VALUE = 'a-value-of-the-benchmark';
const PATH = 'platform-test/data/workloads/ci/npm';
const ROUTES = `version: 1
routes:
  - id: npm-publish
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { test: { mount: platform-test, path: workloads/ci/npm, fields: [token] } }
    fetch_capable: true
    actors: [agt-bench-0]
`;

interface Scene {
  readonly bao: RealServer;
  readonly daemon: Program & Config;
  /** One kept-alive connection: what a program that spoke to OpenBao itself would use. */
  readonly direct: Client;
  readonly publicKey: string;
}

/** A real OpenBao with a value and an SSH engine, and a daemon in front of it. */
async function scene(backend: 'local' | 'openbao'): Promise<Scene> {
  const bao = await devServer();
  await bao.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
  await bao.ok('POST', PATH, { data: { token: VALUE } });
  await bao.ok('POST', 'sys/mounts/ssh', { type: 'ssh' });
  await bao.ok('POST', 'ssh/config/ca', { generate_signing_key: true, key_type: 'ed25519' });
  await bao.ok('POST', 'ssh/roles/agt', {
    key_type: 'ca',
    allow_user_certificates: true,
    allowed_users: '*',
    allow_user_key_ids: true,
    allowed_extensions: '',
    default_extensions: {},
    max_ttl: '24h',
    algorithm_signer: 'default',
  });
  const config = writeConfig({
    policy: `backend: ${backend}\nopenbao: { address: "${bao.address}", tier: test, login: { method: token_file, token_file: token } }\n`,
  });
  const { public_key: ca } = await bao.ok('GET', 'ssh/config/ca');
  writeFileSync(join(config.config, 'ca.pub'), `${ca}`, { mode: 0o600 });
  writeFileSync(join(config.config, 'token'), bao.rootToken, { mode: 0o600 });
  writeFileSync(join(config.config, 'routes.yaml'), ROUTES, { mode: 0o600 });
  const daemon = { ...config, ...(await startProgram(config)) };
  return { bao, daemon, direct: new Client(bao.address), publicKey: keyPair(join(config.dir, 'id')) };
}

async function leave({ bao, daemon, direct }: Scene): Promise<void> {
  await direct.close();
  await daemon.stop();
  await bao.stop();
}

async function ask(
  direct: Client,
  token: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Record<string, unknown>> {
  const answer = await direct.request({
    method,
    path: `/v1/${path}`,
    headers: { 'x-vault-token': token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const parsed = (await answer.body.json()) as { data: Record<string, unknown> };
  if (answer.statusCode !== 200) throw new Error(`HTTP ${answer.statusCode}`);
  return parsed.data;
}

async function p50(call: () => Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const began = performance.now();
    await call();
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  return times[CALLS / 2] ?? Number.NaN;
}

export const openbaoSign: Benchmark = {
  name: 'openbao_sign_p50_over_http',
  unit: 'ms',
  baseline: 'POST ssh/sign over one kept-alive connection',
  aim: '<= 1.25',
  warmUp: 5,
  async setUp(): Promise<Measured> {
    const all = await scene('openbao');
    const { bao, daemon, direct, publicKey } = all;
    const caller = new Caller(daemon.socket, publicKey);
    const wanted = parsePublicKeyLine(publicKey).blob;
    const check = (line: string): void => {
      if (!parseCertificateLine(line.trim()).publicKey.blob.equals(wanted))
        throw new Error('a certificate over another key');
    };
    const body = { public_key: publicKey, valid_principals: 'bench-0', ttl: '8h', key_id: 'bench', cert_type: 'user' };
    return {
      ours: () => p50(async () => check((await caller.sign()).certificate)),
      baseline: () =>
        p50(async () => check(String((await ask(direct, bao.rootToken, 'POST', 'ssh/sign/agt', body)).signed_key))),
      async tearDown() {
        caller.close();
        await leave(all);
      },
    };
  },
};

export const fetchValue: Benchmark = {
  name: 'fetch_p50_over_http',
  unit: 'ms',
  baseline: 'GET of the value over one kept-alive connection',
  aim: '<= 1.25',
  warmUp: 5,
  async setUp(): Promise<Measured> {
    const all = await scene('local');
    const { bao, daemon, direct, publicKey } = all;
    const caller = new Caller(daemon.socket, publicKey);
    const hold = (value: unknown): void => {
      if (value !== VALUE) throw new Error('another value');
    };
    return {
      ours: () => p50(async () => hold(await caller.fetch('npm-publish', bao.rootToken))),
      baseline: () =>
        p50(async () => hold(((await ask(direct, bao.rootToken, 'GET', PATH)).data as { token?: unknown }).token)),
      async tearDown() {
        caller.close();
        await leave(all);
      },
    };
  },
};

export const fetchFloor: Benchmark = {
  name: 'fetch_p50_over_floor',
  unit: 'ms',
  baseline: 'a bare grpc-js server that does the same GET and syncs a line to the disk',
  aim: 'shown',
  warmUp: 5,
  async setUp(): Promise<Measured> {
    const all = await scene('local');
    const { bao, daemon, publicKey } = all;
    const floor = await startFloor(bao.address, PATH);
    const caller = new Caller(daemon.socket, publicKey);
    const bare = new Caller(floor.socket, publicKey);
    const fetched = async (from: Caller): Promise<void> => {
      if ((await from.fetch('npm-publish', bao.rootToken)) !== VALUE) throw new Error('another value');
    };
    return {
      ours: () => p50(() => fetched(caller)),
      baseline: () => p50(() => fetched(bare)),
      async tearDown() {
        caller.close();
        bare.close();
        await floor.stop();
        await leave(all);
      },
    };
  },
};

export const wardenFetchWall: Benchmark = {
  name: 'warden_fetch_wall_over_bao',
  unit: 'ms',
  baseline: 'bao kv get -field',
  aim: '<= 0.8',
  async setUp(): Promise<Measured> {
    const all = await scene('local');
    const { bao, daemon } = all;
    const env = { ...process.env, HOME: daemon.dir, BAO_ADDR: bao.address, BAO_TOKEN: bao.rootToken };
    const wall = (command: string, args: readonly string[]): number => {
      const began = performance.now();
      for (let i = 0; i < 5; i++) {
        const ran = spawnSync(command, args, { env, encoding: 'utf8' });
        if (ran.stdout !== VALUE) throw new Error(`${command}: ${ran.stderr}`);
      }
      return (performance.now() - began) / 5;
    };
    return {
      ours: async () =>
        wall(process.execPath, [
          'dist/warden.cjs',
          'fetch',
          'npm-publish',
          '--actor',
          'agt-bench-0',
          '--socket',
          daemon.socket,
        ]),
      baseline: async () => wall(BAO, ['kv', 'get', '-field=token', '-mount=platform-test', 'workloads/ci/npm']),
      tearDown: () => leave(all),
    };
  },
};
