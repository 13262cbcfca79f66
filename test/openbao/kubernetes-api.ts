import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { type TestAuthority, testAuthority } from '../policy/support/x509.ts';

export interface Account {
  readonly namespace?: string;
  readonly name?: string;
  readonly audience?: string;
  /** `5m`, or `-5m` for one that has expired. */
  readonly expiresIn?: string;
}

/** Of Kubernetes' API what OpenBao asks for at a login: is this token a service account's? */
export interface KubernetesApi {
  readonly address: string;
  /** What its certificate is to be checked with. */
  readonly ca: TestAuthority;
  /** The key that its tokens are signed with. */
  readonly signingKey: string;
  /** Of OpenBao, to be allowed to ask. */
  readonly reviewer: string;
  /** Each review: who asked, and what it was told. */
  readonly reviews: { readonly bearer: string; readonly authenticated: boolean }[];
  token(account?: Account): Promise<string>;
  /** The account is gone: its tokens are none. */
  remove(namespace: string, name: string): void;
  close(): Promise<void>;
}

const PATH = '/apis/authentication.k8s.io/v1/tokenreviews';

/** There is no cluster here: its API server is this, its tokens are signed as a cluster signs them. */
export async function kubernetesApi(): Promise<KubernetesApi> {
  const ca = testAuthority('kubernetes');
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const reviews: { bearer: string; authenticated: boolean }[] = [];
  const issued = new Map<string, { readonly namespace: string; readonly name: string; readonly audience: string }>();
  const gone = new Set<string>();
  const reviewer = 'reviewer-of-this-test';
  const token: KubernetesApi['token'] = async (account = {}) => {
    const { namespace = 'platform', name = 'wardend', audience = 'openbao', expiresIn = '5m' } = account;
    const jwt = await new SignJWT({
      'kubernetes.io': {
        namespace,
        serviceaccount: { name, uid: 'e4a3b3f2-uid' },
        pod: { name: 'wardend-0', uid: 'p' },
      },
    })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime(expiresIn)
      .setAudience([audience])
      .setSubject(`system:serviceaccount:${namespace}:${name}`)
      .setIssuer('https://kubernetes.default.svc')
      .sign(privateKey);
    issued.set(jwt, { namespace, name, audience });
    return jwt;
  };
  const server = https.createServer(ca.issue('kubernetes'), async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const bearer = request.headers.authorization ?? '';
    if (request.method !== 'POST' || request.url !== PATH) return answer(404, { kind: 'Status', code: 404 });
    if (bearer !== `Bearer ${reviewer}`) return answer(401, { kind: 'Status', code: 401, reason: 'Unauthorized' });
    const { spec } = JSON.parse(text) as { spec: { token: string; audiences?: string[] } };
    const who = issued.get(spec.token);
    const authenticated =
      who !== undefined &&
      !gone.has(`${who.namespace}/${who.name}`) &&
      (spec.audiences ?? [who.audience]).includes(who.audience);
    reviews.push({ bearer: bearer.replace(reviewer, 'the reviewer'), authenticated });
    const user =
      who === undefined
        ? undefined
        : {
            username: `system:serviceaccount:${who.namespace}:${who.name}`,
            uid: 'e4a3b3f2-uid',
            groups: ['system:serviceaccounts', `system:serviceaccounts:${who.namespace}`, 'system:authenticated'],
          };
    const status = authenticated
      ? { authenticated, user, audiences: [who.audience] }
      : { authenticated, error: 'the token is not known' };
    answer(201, { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', status });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca,
    signingKey: await exportSPKI(publicKey),
    reviewer,
    reviews,
    token,
    remove: (namespace, name) => gone.add(`${namespace}/${name}`),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
