import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly subject: { readonly id: string };
  readonly resource: { readonly id: string };
  readonly action: string;
  readonly context: Readonly<Record<string, unknown>>;
}

/** What a test's decision point answers: a decision, or a bare HTTP status where it is broken. */
export type Answered = { readonly effect: string; readonly id: string; readonly reason?: string } | number;

/** A decision point under the test's orders, over real HTTP. */
export class DecisionPointServer {
  readonly asked: Asked[] = [];
  /** Answers each check; a promise keeps it waiting. */
  answer: (asked: Asked) => Answered | Promise<Answered>;
  /** Whether /healthz says yes. */
  healthy = true;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor(answer: (asked: Asked) => Answered | Promise<Answered>) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      const reply = (status: number, json: unknown): void => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
      };
      if (request.url === '/healthz') return reply(this.healthy ? 200 : 503, {});
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const asked = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Asked;
        this.asked.push(asked);
        for (const wake of this.#waiting) wake();
        Promise.resolve(this.answer(asked)).then((answered) =>
          typeof answered === 'number' ? reply(answered, { error: 'broken' }) : reply(200, answered),
        );
      });
    });
  }

  static async start(answer: (asked: Asked) => Answered | Promise<Answered>): Promise<DecisionPointServer> {
    const point = new DecisionPointServer(answer);
    await new Promise<void>((resolve) => point.#server.listen(0, '127.0.0.1', resolve));
    return point;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once it has been asked this many times in all. */
  askedTimes(count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.asked.length < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}
