import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { secretValue } from './canary.ts';

export const BAO = fileURLToPath(new URL('../../.cache/openbao/bao', import.meta.url));

export interface ApiAnswer {
  readonly status: number;
  readonly type: string | null;
  /** Parsed where it is JSON, the text where it is not, null where there is none. */
  readonly body: unknown;
}

/** A server to talk to, real or a double, as an operator with curl would. */
export interface Api {
  readonly address: string;
  readonly rootToken: string;
  call(method: string, path: string, more?: ApiOptions): Promise<ApiAnswer>;
  /** The same where anything but 200 and 204 fails the test; resolves to `data`, or the whole where there is none. */
  ok(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
}

export interface ApiOptions {
  readonly body?: unknown;
  /** Default: the root token; null: none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export function apiOf(address: string, rootToken: string): Api {
  const call: Api['call'] = async (method, path, { body, token = rootToken, headers = {} } = {}) => {
    const response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { ...headers, ...(token === null ? {} : { 'x-vault-token': token }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await response.text();
    const type = response.headers.get('content-type');
    const json = type?.startsWith('application/json') === true && text !== '';
    return { status: response.status, type, body: json ? JSON.parse(text) : text === '' ? null : text };
  };
  return {
    address,
    rootToken,
    call,
    async ok(method, path, body) {
      const answer = await call(method, path, body === undefined ? {} : { body });
      if (answer.status !== 200 && answer.status !== 204) {
        throw new Error(`${method} ${path}: HTTP ${answer.status} ${JSON.stringify(answer.body)}`);
      }
      const whole = (answer.body ?? {}) as { data?: Record<string, unknown> | null };
      return whole.data ?? (whole as Record<string, unknown>);
    },
  };
}

export interface RealServer extends Api {
  /** What it printed so far, both streams. */
  output(): string;
  stop(): Promise<void>;
}

/** A real OpenBao in memory, unsealed. Its home is a temporary folder, so nothing of the user's is read or written. */
export async function devServer(): Promise<RealServer> {
  const port = await freePort();
  const rootToken = secretValue('root-token');
  const args = ['server', '-dev', `-dev-listen-address=127.0.0.1:${port}`, '-dev-no-store-token'];
  const { child, home, output } = await start(args, { BAO_DEV_ROOT_TOKEN_ID: rootToken }, /^Root Token:/);
  const api = apiOf(`http://127.0.0.1:${port}`, rootToken);
  return { ...api, output, stop: () => stop(child, home) };
}

export interface FileServer {
  /** An `https` one where it was given a certificate. */
  readonly address: string;
  readonly auditFile: string;
  start(): Promise<void>;
  /** Ends the process; the data stays. */
  halt(): Promise<void>;
  remove(): Promise<void>;
}

/** A real OpenBao on disk (raft, one node), with a file audit device: sealed at every start, empty at the first. */
export async function fileServer(cert?: { readonly cert: string; readonly key: string }): Promise<FileServer> {
  const folder = await mkdtemp(join(tmpdir(), 'warden-bao-'));
  const port = await freePort();
  const clusterPort = await freePort();
  const auditFile = join(folder, 'audit.log');
  const config = join(folder, 'bao.hcl');
  await mkdir(join(folder, 'data'));
  const certFile = join(folder, 'cert.pem');
  const keyFile = join(folder, 'key.pem');
  if (cert !== undefined)
    await Promise.all([writeFile(certFile, cert.cert), writeFile(keyFile, cert.key, { mode: 0o600 })]);
  const transport =
    cert === undefined ? 'tls_disable = true' : `tls_cert_file = "${certFile}"\n  tls_key_file = "${keyFile}"`;
  await writeFile(
    config,
    [
      `storage "raft" {\n  path = "${join(folder, 'data')}"\n  node_id = "one"\n}`,
      `cluster_addr = "http://127.0.0.1:${clusterPort}"`,
      `listener "tcp" {\n  address = "127.0.0.1:${port}"\n  ${transport}\n}`,
      `api_addr = "${cert === undefined ? 'http' : 'https'}://127.0.0.1:${port}"`,
      `audit "file" "file" {\n  options {\n    file_path = "${auditFile}"\n  }\n}`,
    ].join('\n'),
  );
  let running: Awaited<ReturnType<typeof start>> | null = null;
  const halt = async (): Promise<void> => {
    if (running !== null) await stop(running.child, running.home);
    running = null;
  };
  return {
    address: `${cert === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    auditFile,
    async start() {
      running = await start(['server', `-config=${config}`], {}, /OpenBao server started!/);
    },
    halt,
    async remove() {
      await halt();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function start(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ready: RegExp,
): Promise<{ child: ChildProcess; home: string; output: () => string }> {
  if (!existsSync(BAO)) throw new Error('the real OpenBao is missing: run `node .ci/setup.mjs test`, which fetches it');
  const home = await mkdtemp(join(tmpdir(), 'warden-bao-home-'));
  const child = spawn(BAO, args, {
    cwd: home,
    env: { HOME: home, PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`bao ended with ${code}: ${text}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      text += `${line}\n`;
      if (ready.test(line)) resolve();
    });
  });
  child.removeAllListeners('exit');
  return { child, home, output: () => text };
}

async function stop(child: ChildProcess, home: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  await rm(home, { recursive: true, force: true });
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export interface CountingProxy {
  readonly address: string;
  /** `METHOD /v1/path STATUS` of each request, in order of their answers. */
  readonly seen: string[];
  close(): Promise<void>;
}

/** Stands before a server and counts what reaches it. A server that is down is a connection that breaks. */
export async function countingProxy(target: string): Promise<CountingProxy> {
  const { hostname, port } = new URL(target);
  const seen: string[] = [];
  const agent = new http.Agent({ keepAlive: true });
  const server = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    const onward = http.request({ hostname, port, method, path, headers, agent }, (answer) => {
      seen.push(`${method} ${path} ${answer.statusCode}`);
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => {
      seen.push(`${method} ${path} down`);
      response.destroy();
    });
    request.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    seen,
    close: async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Initialises an empty server with five key shares of which three unseal it. */
export async function initialise(address: string): Promise<{ readonly api: Api; readonly keys: readonly string[] }> {
  const bare = apiOf(address, '');
  const { body } = await bare.call('PUT', 'sys/init', { token: null, body: { secret_shares: 5, secret_threshold: 3 } });
  const { keys, root_token: root } = body as { keys: string[]; root_token: string };
  return { api: apiOf(address, root), keys };
}

/** Puts in so many of the keys; resolves to whether it is still sealed. */
export async function unseal(api: Api, keys: readonly string[]): Promise<boolean> {
  let sealed = true;
  for (const key of keys) {
    const { body } = await api.call('PUT', 'sys/unseal', { token: null, body: { key } });
    sealed = (body as { sealed: boolean }).sealed;
  }
  // A node that was just unsealed is no leader yet.
  while (!sealed && (await api.call('GET', 'sys/health', { token: null })).status !== 200);
  return sealed;
}
