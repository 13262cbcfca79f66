import * as z from 'zod';
import { discover } from './authzen-metadata.ts';
import type { Decision, DecisionIdSource, PolicyQuestion } from './decision.ts';
import { type DecisionPoint, PolicyFault } from './decision-point.ts';
import type { HttpClient, JsonAnswer } from './http-client.ts';
import { isPrintableId, isPrintableReason } from './printable.ts';

const Answer = z.object({
  decision: z.boolean(),
  context: z.record(z.string(), z.unknown()).nullish(),
});

export interface AuthzenOptions {
  /** `policy.health_path`; null: readiness is the metadata document. */
  readonly healthPath: string | null;
}

/** OpenID AuthZEN 1.0: `POST /access/v1/evaluation`, HTTP 200 for allow and deny alike. */
export function createAuthzen(client: HttpClient, { healthPath }: AuthzenOptions): DecisionPoint {
  const { basePath } = client.endpoint;
  let evaluationPath = `${basePath}/access/v1/evaluation`;
  return {
    double: false,
    async decide(question, { requestId, traceparent, tracestate, signal }) {
      const body = authzenBody(question);
      const answer = await client.json({
        method: 'POST',
        path: evaluationPath,
        body,
        requestId,
        traceparent,
        tracestate,
        signal,
      });
      return authzenDecision(answer, requestId);
    },
    async ready(signal) {
      if (healthPath !== null) return client.healthOk({ method: 'GET', path: `${basePath}${healthPath}`, signal });
      const named = await discover(client, signal);
      if (named !== null) evaluationPath = named;
    },
    close: () => client.close(),
  };
}

/**
 * The question in AuthZEN's shape. Some decision points do not hand `context` to their policies, so it stands
 * in the resource's properties too; there, tenant and system are ours and win.
 */
export function authzenBody({ subject, tenant, resource, action, context }: PolicyQuestion): string {
  return JSON.stringify({
    subject: { type: subject.type, id: subject.id, properties: { tenant: subject.tenant } },
    action: { name: action, properties: { tenant } },
    resource: {
      type: resource.type,
      id: resource.id,
      properties: { ...context, tenant: resource.tenant, system: resource.system },
    },
    context,
  });
}

/** @throws PolicyFault answer */
export function authzenDecision({ json, header }: JsonAnswer, requestId: string): Decision {
  const echoed = header('x-request-id') === requestId;
  const ours: { id: string; idSource: DecisionIdSource } = { id: requestId, idSource: echoed ? 'echoed' : 'pep' };
  if (isUndefinedAnswer(json)) return { effect: 'deny', ...ours, reason: '', expiresAt: null, cached: false };
  const parsed = Answer.safeParse(json);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join('.') || 'the whole';
    throw new PolicyFault('answer', `the answer breaks AuthZEN 1.0 (${field})`);
  }
  const context = parsed.data.context ?? {};
  const id = context.id ?? '';
  if (typeof id !== 'string' || (id !== '' && !isPrintableId(id))) {
    throw new PolicyFault('answer', 'the decision id is no string, too long or not printable');
  }
  const named = id === '' ? ours : { id, idSource: 'pdp' as const };
  const effect = parsed.data.decision ? 'allow' : 'deny';
  return { effect, ...named, reason: reasonOf(context), expiresAt: null, cached: false };
}

/** What OPA adds to an answer of its own accord. */
const OPA_FIELDS = new Set(['decision_id', 'metrics', 'provenance', 'warning']);

/** OPA answers `{}` where no rule said anything: a deny. Any other object without a decision is no answer at all. */
function isUndefinedAnswer(json: unknown): boolean {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false;
  return Object.keys(json).every((key) => OPA_FIELDS.has(key));
}

/**
 * The first usable text among `reason`, `reason_admin` and `reason_user`, each a string or texts by language
 * or code. The protocol leaves this open, so a text that cannot be shown is left out and breaks nothing.
 */
function reasonOf(context: Record<string, unknown>): string {
  for (const name of ['reason', 'reason_admin', 'reason_user']) {
    const value = context[name];
    const texts = typeof value === 'object' && value !== null ? inEnglishFirst(value) : [value];
    for (const text of texts) {
      if (typeof text === 'string' && text !== '' && isPrintableReason(text)) return text;
    }
  }
  return '';
}

function inEnglishFirst(texts: object): unknown[] {
  const entries = Object.entries(texts);
  return [...entries.filter(([key]) => key === 'en'), ...entries].map(([, text]) => text);
}
