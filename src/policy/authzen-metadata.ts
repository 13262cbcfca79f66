import * as z from 'zod';
import { PolicyFault } from './decision-point.ts';
import type { HttpClient } from './http-client.ts';

const Metadata = z.object({
  policy_decision_point: z.string(),
  access_evaluation_endpoint: z.string().optional(),
});

/**
 * Reads the metadata of an AuthZEN decision point and makes sure that it is the one that was configured: a
 * document that names another identifier belongs to somebody else (mix-up), and must not be used.
 *
 * @returns the path of the evaluation endpoint, where the document names one
 * @throws PolicyFault
 */
export async function discover(client: HttpClient, signal?: AbortSignal): Promise<string | null> {
  const { basePath, base, origin } = client.endpoint;
  // The well-known name stands between host and path.
  const path = `/.well-known/authzen-configuration${basePath}`;
  const { json } = await client.healthJson({ method: 'GET', path, signal });
  const parsed = Metadata.safeParse(json);
  if (!parsed.success) throw new PolicyFault('answer', 'the metadata of the decision point is malformed');
  const { policy_decision_point: identifier, access_evaluation_endpoint: evaluation } = parsed.data;
  if (identifier.replace(/\/$/, '') !== base) {
    throw new PolicyFault('untrusted', 'the metadata names another decision point than policy.flex_auth_url');
  }
  return evaluation === undefined ? null : pathWithin(evaluation, origin);
}

function pathWithin(text: string, origin: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.origin !== origin || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new PolicyFault('untrusted', 'the metadata sends questions to another origin');
  }
  return `${url.pathname}${url.search}`;
}
