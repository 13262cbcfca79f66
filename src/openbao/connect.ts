import type { PeerUidOf } from '../http/connector.ts';
import { privatePem, publicPem } from '../http/pem.ts';
import { type HttpLimits, Pool } from '../http/pool.ts';
import { parseOpenBaoAddress } from './address.ts';
import { createClient, type OpenBaoClient } from './client.ts';
import { openBao } from './fault.ts';
import type { LoginSettings, OpenBaoAddress } from './settings.ts';

/**
 * Four times what one caller may have at once, where a read with its own token takes two: paths that hang for it must
 * leave room for everybody else, and for signing.
 */
const LIMITS: HttpLimits = { concurrency: 128, queue: 256, answerBytes: 4 * 1024 * 1024 };
const TIMEOUT_MS = 5_000;

export interface ConnectOptions {
  readonly settings: OpenBaoAddress;
  /** Its certificate is shown on every connection where the method is `cert`. */
  readonly login: LoginSettings | null;
  readonly acceptDoubles: boolean;
  /** Of each call, in milliseconds. */
  readonly timeoutMs?: number;
  readonly limits?: HttpLimits;
  readonly peerUidOf?: PeerUidOf;
}

/** A client over kept-alive connections; connects nothing yet. @throws WardenError config_invalid */
export function connectOpenBao(options: ConnectOptions): OpenBaoClient {
  const { settings, login, acceptDoubles } = options;
  const endpoint = parseOpenBaoAddress(settings.address);
  const transport = new Pool({
    party: openBao,
    endpoint,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    limits: options.limits ?? LIMITS,
    ca: settings.ca_file === null ? null : publicPem(openBao, settings.ca_file, 'openbao.ca_file'),
    clientCert:
      login?.method === 'cert'
        ? {
            cert: publicPem(openBao, login.cert_file, 'openbao.login.cert_file'),
            key: privatePem(openBao, login.key_file, 'openbao.login.key_file'),
          }
        : null,
    peerUid: null,
    peerUidOf: options.peerUidOf ?? null,
  });
  return createClient({ transport, basePath: endpoint.basePath, namespace: settings.namespace, acceptDoubles });
}
