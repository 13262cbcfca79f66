import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { WardenError } from '../../src/kernel/errors.ts';
import { listen } from '../../src/unix/socket.ts';

export interface MetricsServer {
  /** `unix:///path` or `127.0.0.1:9464`. */
  readonly place: string;
  close(): Promise<void>;
}

export interface Exposition {
  readonly contentType: string;
  text(): Promise<string>;
}

/** Of whoever asks: how many at once, and how long each may take to ask and to read. */
const MAX_CONNECTIONS = 8;
const PATIENCE_MS = 5_000;
/** What a browser that was led here by a foreign name would send is refused. */
const OWN_NAMES = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?$/i;

/**
 * Serves `GET /metrics` on a Unix socket of mode 0600, or on this machine's own address.
 * @throws WardenError config_invalid where the place cannot be had
 */
export async function serveMetrics(place: string, exposition: Exposition): Promise<MetricsServer> {
  const sockets = new Set<Socket>();
  const overTcp = !place.startsWith('unix://');
  const server = createServer(
    { headersTimeout: PATIENCE_MS, requestTimeout: PATIENCE_MS, keepAliveTimeout: PATIENCE_MS, maxHeaderSize: 4096 },
    (request, response) => answer(request, response, exposition, overTcp),
  );
  server.on('connection', (socket: Socket) => {
    if (sockets.size >= MAX_CONNECTIONS) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // Also one that does not read: what is left for it is bounded, and goes with it.
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  });
  const stop = overTcp ? await listenTcp(place, server) : await listenUnix(place.slice('unix://'.length), server);
  return {
    place,
    async close() {
      await stop();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, exposition: Exposition, overTcp: boolean): void {
  const plain = (status: number, text: string): void => {
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
  };
  request.resume();
  const refusal = refusalOf(request, overTcp);
  if (refusal !== null) {
    plain(refusal, 'GET /metrics, by the name of this machine');
    return;
  }
  exposition.text().then(
    (text) => {
      response.writeHead(200, { 'content-type': exposition.contentType, 'cache-control': 'no-store' });
      response.end(request.method === 'HEAD' ? undefined : text);
    },
    () => plain(500, 'the metrics could not be read'),
  );
}

function refusalOf({ headers, method, url }: IncomingMessage, overTcp: boolean): number | null {
  if (overTcp && !OWN_NAMES.test(headers.host ?? '')) return 403;
  if (method !== 'GET' && method !== 'HEAD') return 405;
  return url?.split('?')[0] === '/metrics' ? null : 404;
}

async function listenUnix(path: string, server: Server): Promise<() => Promise<void>> {
  const { close } = await listen({
    path,
    mode: 0o600,
    group: null,
    backlog: MAX_CONNECTIONS,
    onConnection: (socket) => void server.emit('connection', socket),
  });
  return close;
}

function listenTcp(place: string, server: Server): Promise<() => Promise<void>> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(place) ?? [];
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new WardenError('config_invalid', `metrics cannot be served on ${place} (${error.code ?? 'unknown error'})`, {
          hint: 'another port or socket in metrics.listen',
          cause: error,
        }),
      ),
    );
    server.listen({ host: host === '[::1]' ? '::1' : host, port: Number(port), backlog: MAX_CONNECTIONS }, () => {
      server.on('error', () => {});
      resolve(async () => {
        server.close();
      });
    });
  });
}
