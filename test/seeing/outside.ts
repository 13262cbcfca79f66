import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { secretValue } from '../support/canary.ts';
import { devServer, type RealServer } from '../support/openbao.ts';

export interface Seen {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** What the route of these tests leads to. */
export const ROUTE_VALUE = secretValue('of-the-route');

/** A decision point, and a real OpenBao with somebody in front who looks at the headers. */
export class Outside {
  /** What the decision point says. */
  effect = 'allow';
  readonly atGate: Seen[] = [];
  readonly atStore: Seen[] = [];
  readonly bao: RealServer;
  readonly #servers: readonly Server[];

  private constructor(bao: RealServer) {
    this.bao = bao;
    const gate = createServer((asked, response) => {
      asked.resume();
      if (asked.method === 'POST') this.atGate.push({ path: asked.url ?? '', headers: asked.headers });
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id: 'decision:1', effect: this.effect, reason: 'r' }));
    });
    const front = createServer((asked, response) => {
      this.atStore.push({ path: asked.url ?? '', headers: asked.headers });
      const { host: _host, ...headers } = asked.headers;
      const onward = request(`${bao.address}${asked.url}`, { method: asked.method, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      asked.pipe(onward);
    });
    this.#servers = [gate, front];
  }

  static async start(): Promise<Outside> {
    const bao = await devServer();
    await bao.ok('POST', 'sys/mounts/platform-test', { type: 'kv', options: { version: '2' } });
    await bao.ok('POST', 'platform-test/data/workloads/ci/npm', { data: { token: ROUTE_VALUE } });
    return new Outside(bao);
  }

  /** Where the decision point and OpenBao are asked. */
  async listen(): Promise<{ gateUrl: string; baoUrl: string }> {
    const [gateUrl = '', baoUrl = ''] = await Promise.all(this.#servers.map(listening));
    return { gateUrl, baoUrl };
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    await this.bao.stop();
  }
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
