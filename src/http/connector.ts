import net from 'node:net';
import tls from 'node:tls';
import type { buildConnector } from 'undici';
import type { Endpoint } from './endpoint.ts';
import { HttpFault, type Party } from './party.ts';

/** The uid of the process at the other end of a connected Unix socket (SO_PEERCRED). */
export type PeerUidOf = (fd: number) => number;

/** PEM bytes as they are now. @throws the party's fault, untrusted */
export type ReadPem = () => Promise<Buffer>;

export interface ConnectorOptions {
  readonly party: Party;
  readonly endpoint: Endpoint;
  readonly timeoutMs: number;
  /** Null: the authorities that the runtime trusts. */
  readonly ca: ReadPem | null;
  readonly clientCert: { readonly cert: ReadPem; readonly key: ReadPem } | null;
  /** Null: anybody may listen there. */
  readonly peerUid: number | null;
  readonly peerUidOf: PeerUidOf | null;
}

/**
 * Opens connections for the pool and hands over those alone whose other end is who it should be. Certificate
 * files are read for each connection, so a renewed one needs no reload. No proxy, whatever the environment says.
 */
export function createConnector(options: ConnectorOptions): buildConnector.connector {
  return (target, callback) => {
    connect(options, target).then(
      (socket) => callback(null, socket),
      (error) => callback(error instanceof HttpFault ? error : connectFault(error, options.party), null),
    );
  };
}

async function connect(options: ConnectorOptions, target: buildConnector.Options): Promise<net.Socket> {
  const { endpoint } = options;
  if (endpoint.tls) {
    const [ca, cert, key] = await Promise.all([options.ca?.(), options.clientCert?.cert(), options.clientCert?.key()]);
    const socket = tls.connect({
      ...address(target),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: true,
      ...(net.isIP(hostOf(target)) === 0 ? { servername: hostOf(target) } : {}),
      ...(ca ? { ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
    });
    return ready(socket, 'secureConnect', options);
  }
  if (endpoint.socketPath === null) return ready(net.connect(address(target)), 'connect', options);
  const socket = await ready(net.connect({ path: endpoint.socketPath }), 'connect', options);
  try {
    checkPeer(socket, options);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return socket;
}

function hostOf(target: buildConnector.Options): string {
  return target.hostname.replace(/^\[|\]$/g, '');
}

function address(target: buildConnector.Options): { host: string; port: number } {
  const port = target.port === '' ? (target.protocol === 'https:' ? 443 : 80) : Number(target.port);
  return { host: hostOf(target), port };
}

function ready<S extends net.Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  { timeoutMs, party }: ConnectorOptions,
): Promise<S> {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, 30_000);
  return new Promise((resolve, reject) => {
    const settle = (then: () => void): void => {
      clearTimeout(timer);
      socket.removeListener('error', fail);
      then();
    };
    const fail = (error: Error): void => settle(() => reject(error));
    const timer = setTimeout(() => {
      socket.destroy();
      settle(() => reject(party.fault('timeout', `the connection to ${party.name} was not made in time`)));
    }, timeoutMs);
    socket.once('error', fail);
    socket.once(event, () => settle(() => resolve(socket)));
  });
}

function checkPeer(socket: net.Socket, { peerUid, peerUidOf, party }: ConnectorOptions): void {
  if (peerUid === null) return;
  const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (peerUidOf === null || fd === undefined || fd < 0) {
    throw party.fault('untrusted', `the uid behind the socket of ${party.name} cannot be read`);
  }
  const uid = peerUidOf(fd);
  if (uid !== peerUid) {
    throw party.fault('untrusted', `uid ${uid} answers at the socket of ${party.name}, not uid ${peerUid}`);
  }
}

/** Of our own making: a hostile neighbour can bring them about, so they must not count as an outage. */
const OURS = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOBUFS', 'EADDRNOTAVAIL']);

/** Everything that TLS says against the other end, or the other end against us. */
const TLS_CODE =
  /^(ERR_SSL|ERR_TLS|ERR_OSSL|EPROTO|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_|PATH_LENGTH|ERROR_IN_)/;

/** An error of connecting, or of a connection that failed before an answer began. */
export function connectFault(error: unknown, party: Party): HttpFault {
  const code = codeOf(error);
  if (TLS_CODE.test(code)) return party.fault('untrusted', `TLS with ${party.name} failed (${code})`);
  if (OURS.has(code)) return party.fault('overloaded', `no connection can be opened (${code})`);
  if (code === 'ETIMEDOUT') return party.fault('timeout', `${party.name} does not answer (ETIMEDOUT)`);
  return party.fault('unreachable', `${party.name} cannot be reached (${code})`);
}

export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown error';
}
