import { createHttpClient, type HttpClient } from '../../src/policy/http-client.ts';

/** A client as the daemon makes it, for a decision point that needs no credentials. */
export function clientFor(url: string, acceptDoubles = true): HttpClient {
  return createHttpClient({
    settings: { url, caFile: null, auth: { bearerFile: null, clientCert: null, peerUid: null }, timeoutMs: 30_000 },
    acceptDoubles,
  });
}
