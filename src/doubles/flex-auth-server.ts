import { chmod, open } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import { loadPolicyEvaluator } from '../policy/cedar-evaluator.ts';
import { MAX_POLICY_PACKAGE_BYTES } from '../policy/policy-package.ts';
import { indexRegistry } from '../policy/registry-index.ts';
import { SYNTHETIC_POLICY_PACKAGE } from '../policy/synthetic-policy-package.ts';
import { MAX_REGISTRY_BYTES, parseRegistry } from '../registry/parse.ts';
import { openDecisionLog } from './decision-log.ts';
import { answerClientError, type DoubleState, flexAuthHandler } from './flex-auth-handler.ts';
import { clearDeadSocket, inUse, type ListenAddress, parseListenAddress } from './listen-address.ts';

export interface FlexAuthDoubleOptions {
  /** `HOST:PORT` (port 0 takes a free one) or `unix:///path`. */
  readonly addr: string;
  readonly registryFile: string;
  /** Null: the package that is built in. */
  readonly policyFile?: string | null;
  /** Null: decisions are not logged. */
  readonly logFile?: string | null;
  /** How long an answer says that it holds, in milliseconds; null leaves `expires_at` out. */
  readonly decisionTtlMs?: number | null;
  readonly clock?: Clock;
}

export interface FlexAuthDouble {
  /** As `policy.flex_auth_url` takes it: `http://127.0.0.1:PORT` or `unix:///path`. */
  readonly address: string;
  /** Reads the registry file again; where that fails the old one stays in force. @throws WardenError config_invalid */
  reload(): Promise<void>;
  /** Ends after the requests under way, at the latest after a second. */
  close(): Promise<void>;
}

const LINGER_MS = 1_000;

/**
 * The flex-auth double: `GET /healthz` and `POST /v1/check` over the registry and policy package given, every
 * answer labelled `x-wardend-double: 1`. Resolves when it listens.
 * @throws WardenError config_invalid, invalid_request, socket_in_use
 */
export async function startFlexAuthDouble(options: FlexAuthDoubleOptions): Promise<FlexAuthDouble> {
  const { registryFile, policyFile = null, logFile = null, decisionTtlMs = null, clock = systemClock } = options;
  const listenOn = parseListenAddress(options.addr);
  const readRegistry = async () =>
    indexRegistry(parseRegistry(await readBounded(registryFile, MAX_REGISTRY_BYTES, 'the registry')));
  const policy =
    policyFile === null
      ? SYNTHETIC_POLICY_PACKAGE
      : await readBounded(policyFile, MAX_POLICY_PACKAGE_BYTES, 'the policy package');
  const state: DoubleState = {
    registry: await readRegistry(),
    evaluator: await loadPolicyEvaluator(policy),
    log: await openDecisionLog(logFile),
  };
  const handler = flexAuthHandler(state, { clock, decisionTtlMs });
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 60_000, maxHeaderSize: 16_384 },
    handler,
  );
  // Node answers these by itself otherwise, and without the label.
  server.on('checkExpectation', handler);
  server.on('clientError', answerClientError);
  server.maxConnections = 256;
  try {
    await listen(server, listenOn);
  } catch (thrown) {
    await state.log.close();
    throw thrown;
  }
  return {
    address: addressOf(server, listenOn),
    async reload() {
      state.registry = await readRegistry();
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => server.closeAllConnections(), LINGER_MS);
      await closed;
      clearTimeout(timer);
      await state.log.close();
    },
  };
}

async function listen(server: Server, address: ListenAddress): Promise<void> {
  if (address.kind === 'unix') await clearDeadSocket(address.path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(inUse('the double cannot listen at this address', cause)));
    server.listen(
      address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port },
      resolve,
    );
  });
  if (address.kind === 'unix') await chmod(address.path, 0o600);
}

function addressOf(server: Server, address: ListenAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  const bound = server.address() as AddressInfo;
  return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** The text of a file that may not be longer than `limit` bytes, however it grows while it is read. */
async function readBounded(path: string, limit: number, what: string): Promise<string> {
  const unreadable = (cause?: unknown) =>
    new WardenError('config_invalid', `${what} cannot be read, or is too large`, {
      cause,
      hint: `give a file that can be read: ${path}`,
    });
  const file = await open(path, 'r').catch((cause) => {
    throw unreadable(cause);
  });
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of file.createReadStream({ autoClose: false, end: limit })) {
      length += chunk.length;
      chunks.push(chunk);
    }
    if (length > limit) throw unreadable();
    return Buffer.concat(chunks).toString('utf8');
  } catch (cause) {
    throw cause instanceof WardenError ? cause : unreadable(cause);
  } finally {
    await file.close();
  }
}
