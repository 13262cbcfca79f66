import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';

type Value = {
  stringValue?: string;
  intValue?: number | string;
  boolValue?: boolean;
  arrayValue?: { values: Value[] };
};
type Attribute = { key: string; value: Value };
export interface Sent {
  readonly name: string;
  readonly at: Record<string, unknown>;
  readonly raw: Record<string, unknown>;
}

function plain(value: Value): unknown {
  if (value.arrayValue !== undefined) return value.arrayValue.values.map(plain);
  const { stringValue, intValue, boolValue } = value;
  return stringValue ?? (intValue === undefined ? boolValue : Number(intValue));
}

/** An OpenTelemetry collector that keeps what it gets: OTLP over HTTP in JSON, as its specification has it. */
export class Collector {
  readonly logs: Sent[] = [];
  readonly spans: Sent[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  bodies = '';
  status = 200;
  #hear = (): void => {};
  readonly server: Server = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => {
      this.headers.push(request.headers);
      this.bodies += text;
      if (this.status === 200) this.#take(request.url ?? '', JSON.parse(text) as Record<string, unknown>);
      response.writeHead(this.status, { 'content-type': 'application/json' }).end('{}');
      this.#hear();
    });
  });

  #take(url: string, body: Record<string, unknown>): void {
    const [list, scopes, items, into] =
      url === '/v1/logs'
        ? ['resourceLogs', 'scopeLogs', 'logRecords', this.logs]
        : ['resourceSpans', 'scopeSpans', 'spans', this.spans];
    type Node = Record<string, unknown>;
    for (const resource of body[list as string] as Node[]) {
      expect(JSON.stringify(resource.resource)).toContain('"stringValue":"wardend"');
      for (const scope of resource[scopes as string] as Node[])
        for (const raw of scope[items as string] as Node[]) {
          const at = Object.fromEntries((raw.attributes as Attribute[]).map(({ key, value }) => [key, plain(value)]));
          const name = String(raw.name ?? (raw.body as Value).stringValue);
          (into as Sent[]).push({ name, at, raw });
        }
    }
  }

  async has<T>(find: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      this.#hear = () => {
        const found = find();
        if (found !== undefined) resolve(found);
      };
      this.#hear();
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}
