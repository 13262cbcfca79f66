import { isUtf8 } from 'node:buffer';
import { WardenError } from '../../src/kernel/errors.ts';
import type { FetchEvidence, FetchResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { askDaemon } from '../ask-daemon.ts';
import { checkWritable, writeAtomically } from '../atomic-file.ts';
import { FETCH } from '../fetch-method.ts';
import { readFetchRequest, wrapSeconds } from '../fetch-request.ts';
import type { Invocation } from '../invocation.ts';

const MODE = 0o600;

/** One secret value on stdout, or in a file. The order matters: nothing is released that could not be written. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const target = args.string('output');
  const wrapTtlSeconds = wrapSeconds(args);
  const fields = args.strings('field');
  const oneValue = wrapTtlSeconds === 0n && (!out.json || target !== undefined);
  if (oneValue && fields.length > 1) throw usageError('several fields are for --json', 'give one --field, or --json');
  const request = readFetchRequest(invocation, { fields, single: oneValue, wrapTtlSeconds });
  if (target !== undefined) writing(() => checkWritable(target));

  let answer: FetchResponse;
  try {
    answer = await askDaemon(invocation, FETCH, request);
  } finally {
    request.openbaoToken.fill(0);
  }
  try {
    give(answer, target, invocation);
  } finally {
    for (const { value } of answer.fields) value.fill(0);
    answer.wrappingToken.fill(0);
  }
  return 0;
}

function give(answer: FetchResponse, target: string | undefined, { out }: Invocation): void {
  const { evidence, wrappingToken, wrappingTtlSeconds } = answer;
  const wrapped = wrappingToken.length > 0;
  const value = wrapped ? wrappingToken : answer.fields[0]?.value;
  if (evidence === undefined || value === undefined) {
    throw new WardenError('internal', 'the answer of the daemon holds no value', {
      hint: 'make daemon and client the same version',
    });
  }
  if (target !== undefined) {
    writing(() =>
      writeAtomically({ path: target, bytes: Buffer.from(value), mode: MODE, replace: true, durable: false }),
    );
    if (out.json) out.object({ output: target, ...evidenceJson(evidence) });
    else
      out.aside(
        `${wrapped ? 'wrapping token' : 'value'} of ${evidence.route} in ${target} · ledger ${evidence.ledgerSeq}`,
      );
  } else if (out.json) {
    const what = wrapped
      ? { wrapping_token: text(wrappingToken), wrapping_ttl_seconds: wrappingTtlSeconds }
      : valuesJson(answer);
    out.object({ ...what, ...evidenceJson(evidence) });
  } else {
    out.raw(value);
    // A person's prompt should not stand behind the value; a program gets the value and nothing else.
    if (out.terminal) out.raw('\n');
  }
}

/** Text as text; what is not UTF-8 in base64, apart, so that nobody mistakes the one for the other. */
function valuesJson({ fields }: FetchResponse): Record<string, unknown> {
  const [texts, binaries] = [fields.filter(({ value }) => isUtf8(value)), fields.filter(({ value }) => !isUtf8(value))];
  return {
    fields: Object.fromEntries(texts.map(({ name, value }) => [name, text(value)])),
    ...(binaries.length > 0 && {
      fields_base64: Object.fromEntries(
        binaries.map(({ name, value }) => [name, Buffer.from(value).toString('base64')]),
      ),
    }),
  };
}

function evidenceJson(evidence: FetchEvidence): Record<string, unknown> {
  return {
    route: evidence.route,
    actor: evidence.actor,
    owner: evidence.owner,
    lane: evidence.lane,
    openbao_path: evidence.openbaoPath || undefined,
    openbao_version: evidence.openbaoVersion > 0n ? evidence.openbaoVersion : undefined,
    openbao_request_id: evidence.openbaoRequestId || undefined,
    lease_id: evidence.leaseId || undefined,
    lease_seconds: evidence.leaseId === '' ? undefined : evidence.leaseSeconds,
    decision_id: evidence.policyDecisionId || undefined,
    policy_effect: evidence.policyEffect,
    posture: evidence.posture,
    double: evidence.double,
    generation: evidence.generation,
    ledger_seq: evidence.ledgerSeq,
    request_id: evidence.requestId,
  };
}

function text(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8');
}

function writing(write: () => void): void {
  try {
    write();
  } catch (error) {
    if (error instanceof WardenError) throw usageError(error.message, 'name another place with --output');
    throw error;
  }
}
