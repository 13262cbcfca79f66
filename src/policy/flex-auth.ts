import * as z from 'zod';
import type { Decision, DecisionIdSource, PolicyQuestion } from './decision.ts';
import { type DecisionPoint, PolicyFault } from './decision-point.ts';
import type { HttpClient } from './http-client.ts';
import { isPrintableId, isPrintableReason } from './printable.ts';

/** Unknown fields are ignored; what is known must be what the contract says. */
const Answer = z.object({
  effect: z.enum(['allow', 'deny']),
  id: z.string().nullish(),
  request_id: z.string().nullish(),
  reason: z.string().nullish(),
  expires_at: z.iso.datetime({ offset: true }).nullish(),
});

/** flex-auth's own protocol: `POST /v1/check`, HTTP 200 for allow and deny alike, `GET /healthz`. */
export function createFlexAuth(client: HttpClient): DecisionPoint {
  const { basePath } = client.endpoint;
  return {
    double: false,
    async decide(question, { requestId, traceparent, tracestate, signal }) {
      const body = flexAuthBody(question);
      const answer = await client.json({
        method: 'POST',
        path: `${basePath}/v1/check`,
        body,
        requestId,
        traceparent,
        tracestate,
        signal,
      });
      return flexAuthDecision(answer.json, requestId);
    },
    ready: (signal) => client.healthOk({ method: 'GET', path: `${basePath}/healthz`, signal }),
    close: () => client.close(),
  };
}

/** The request of the contract, byte for byte: keys in its order and no others. */
export function flexAuthBody({ subject, tenant, resource, action, context }: PolicyQuestion): string {
  return JSON.stringify({
    subject: { id: subject.id, type: subject.type, tenant: subject.tenant },
    tenant,
    resource: { id: resource.id, type: resource.type, system: resource.system, tenant: resource.tenant },
    action,
    context,
  });
}

/**
 * The decision in an answer. An allow names its decision; a deny that does not is a deny nonetheless, and is
 * found by our request id, which flex-auth was sent.
 *
 * @throws PolicyFault answer
 */
function flexAuthDecision(json: unknown, requestId: string): Decision {
  const parsed = Answer.safeParse(json);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || 'the whole';
    throw new PolicyFault('answer', `the answer breaks the contract of flex-auth (${field})`);
  }
  const { effect, expires_at: expires } = parsed.data;
  const id = parsed.data.id || parsed.data.request_id || '';
  const reason = parsed.data.reason ?? '';
  if (id === '' && effect === 'allow') throw new PolicyFault('answer', 'an allow without a decision id');
  if (id !== '' && !isPrintableId(id)) throw new PolicyFault('answer', 'the decision id is too long or not printable');
  if (!isPrintableReason(reason)) throw new PolicyFault('answer', 'the reason is too long or not printable');
  const idSource: DecisionIdSource = id === '' ? 'pep' : 'pdp';
  const expiresAt = expires == null ? null : Date.parse(expires);
  return { effect, id: id === '' ? requestId : id, idSource, reason, expiresAt, cached: false };
}
