import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createOpenBaoStore } from '../../src/access/openbao-store.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { connectOpenBao } from '../../src/openbao/connect.ts';

let close: () => Promise<void> = async () => {};
afterEach(() => close());

/** A store that answers a read when the test says so, and says what it was asked. */
async function slowStore() {
  const seen: string[] = [];
  let arrived: (answer: ServerResponse) => void = () => {};
  const arrival = new Promise<ServerResponse>((resolve) => {
    arrived = resolve;
  });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    seen.push(`${request.method} ${request.url} ${Buffer.concat(chunks).toString('utf8')}`.trim());
    response.setHeader('content-type', 'application/json');
    if (request.url?.includes('/creds/') === true) arrived(response);
    else response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const settings = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca_file: null,
    namespace: null,
  };
  const client = connectOpenBao({ settings, login: null, acceptDoubles: true });
  close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await client.close();
  };
  return { seen, arrival, store: createOpenBaoStore({ client, tokens: null, tier: 'test' }) };
}

const LEASE = 'database/creds/reader/abc';
const ANSWER = JSON.stringify({
  request_id: '01234567-89ab-cdef-0123-456789abcdef',
  lease_id: LEASE,
  renewable: true,
  lease_duration: 600,
  data: { username: 'u', password: 'p' },
});

test('a lease that is made while its caller goes away is heard of, and can be given back', async () => {
  const { store, seen, arrival } = await slowStore();
  const caller = new AbortController();
  const authority = { as: 'caller', token: Secret.fromString('s.some-token') } as const;
  const location = { mount: 'database', path: 'creds/reader', fields: ['password'] };
  const read = store.read({
    lane: 'openbao-dynamic',
    location,
    fields: ['password'],
    authority,
    signal: caller.signal,
  });
  const answer = await arrival;
  caller.abort();
  answer.end(ANSWER);
  const { evidence } = await read;
  expect(evidence.leaseId).toBe(LEASE);
  await store.release(evidence.leaseId, authority);
  expect(seen.filter((line) => line.startsWith('GET /v1/database/'))).toEqual(['GET /v1/database/creds/reader']);
  expect(seen.at(-1)).toBe(`POST /v1/sys/leases/revoke ${JSON.stringify({ lease_id: LEASE })}`);
});
