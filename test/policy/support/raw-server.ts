import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Everything as it came over the wire. */
  readonly raw: string;
  /** Of its connection, from 1. */
  readonly connection: number;
}

export interface RawServer {
  readonly port: number;
  readonly requests: SeenRequest[];
  /** Connections accepted so far. */
  connections(): number;
  close(): Promise<void>;
}

/** Answers one request, byte by byte as it pleases. `nth` counts requests from 1. */
export type Behaviour = (socket: net.Socket, request: SeenRequest, nth: number) => void;

export interface RawServerOptions {
  readonly path?: string;
  readonly tls?: tls.TlsOptions;
}

/** A server below HTTP: it reads requests properly and answers whatever bytes the test wants. */
export async function rawServer(behave: Behaviour, options: RawServerOptions = {}): Promise<RawServer> {
  const requests: SeenRequest[] = [];
  const sockets = new Set<net.Socket>();
  let connections = 0;
  const accept = (socket: net.Socket): void => {
    connections += 1;
    const connection = connections;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    let buffer = '';
    socket.on('data', (chunk: Buffer) => {
      buffer += chunk.toString('latin1');
      // A TLS greeting: what HTTP servers do with what is not HTTP.
      if (buffer.startsWith('\x16')) socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
      for (let parsed = parse(buffer, connection); parsed !== null; parsed = parse(buffer, connection)) {
        buffer = buffer.slice(parsed.raw.length);
        requests.push(parsed);
        behave(socket, parsed, requests.length);
      }
    });
  };
  const server =
    options.tls === undefined
      ? net.createServer({ allowHalfOpen: true }, accept)
      : tls.createServer(options.tls, accept).on('tlsClientError', () => {});
  server.listen(options.path === undefined ? { port: 0, host: '127.0.0.1' } : { path: options.path });
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    requests,
    connections: () => connections,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function parse(buffer: string, connection: number): SeenRequest | null {
  const end = buffer.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [start = '', ...lines] = buffer.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const length = Number(headers['content-length'] ?? 0);
  const body = buffer.slice(end + 4, end + 4 + length);
  if (body.length < length) return null;
  const [method = '', path = ''] = start.split(' ');
  return { method, path, headers, body, raw: buffer.slice(0, end + 4 + length), connection };
}

/** A whole HTTP/1.1 answer. `headers` replaces the JSON content type and the like by name, null removes. */
export function http(status: number, body: string, headers: Record<string, string | null> = {}): string {
  const all: Record<string, string | null> = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]));
  return `HTTP/1.1 ${status} X\r\n${lines.join('')}\r\n${body}`;
}

/** A decision point that always answers the same JSON. */
export function answering(json: unknown, headers: Record<string, string> = {}): Behaviour {
  return (socket) => socket.write(http(200, JSON.stringify(json), headers));
}
