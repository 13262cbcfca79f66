import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { isAdministrator } from '../operations/authorised-actor.ts';
import { breakGlass, type HasTerminal } from '../operations/break-glass.ts';
import type { RequestContext } from '../operations/context.ts';
import { explainExec } from '../operations/explain-exec.ts';
import { explainFetch } from '../operations/explain-fetch.ts';
import { explainSign } from '../operations/explain-sign.ts';
import { fetchSecret } from '../operations/fetch.ts';
import { listActors } from '../operations/list-actors.ts';
import { listHosts } from '../operations/list-hosts.ts';
import { listRoutes } from '../operations/list-routes.ts';
import { lockdown } from '../operations/lockdown.ts';
import { type LedgerReader, queryLedger } from '../operations/query-ledger.ts';
import { mayReload } from '../operations/reload.ts';
import { type IssuedRecords, revoke } from '../operations/revoke.ts';
import { sign } from '../operations/sign.ts';
import { signHost } from '../operations/sign-host.ts';
import type { RpcDeps } from './admit.ts';
import { serverStream, unary } from './call.ts';
import {
  toActor,
  toAuthorities,
  toCallerSeen,
  toExplainResponse,
  toFetchResponse,
  toHost,
  toLedgerQuestion,
  toRevokeResponse,
  toRoutes,
  toSignResponse,
  toTimestamp,
} from './encode.ts';
import { execHandler } from './exec.ts';
import {
  type BreakGlassRequest,
  type BreakGlassResponse,
  type ExplainRequest,
  type ExplainResponse,
  type FetchRequest,
  type FetchResponse,
  type GetAuthoritiesRequest,
  type GetAuthoritiesResponse,
  type GetRevocationListRequest,
  type GetRevocationListResponse,
  type LedgerRecord,
  type ListActorsRequest,
  type ListActorsResponse,
  type ListHostsRequest,
  type ListHostsResponse,
  type ListRoutesRequest,
  type ListRoutesResponse,
  type LockdownRequest,
  type LockdownResponse,
  Purpose,
  type QueryLedgerRequest,
  type ReloadRequest,
  type ReloadResponse,
  type RevokeRequest,
  type RevokeResponse,
  SignRequest,
  type SignResponse,
  type StatusRequest,
  type StatusResponse,
} from './generated/warden/v1/warden.ts';
import {
  parseActorName,
  parseBreakGlassRequest,
  parseExecStart,
  parseFetchRequest,
  parseLockdownRequest,
  parseQueryRequest,
  parseRevokeRequest,
  parseSignHostRequest,
  parseSignRequest,
} from './messages.ts';

/** What the service needs of the process around it. */
export interface ServiceHost {
  readonly ledger: LedgerReader;
  readonly issued: IssuedRecords;
  readonly hasTerminal: HasTerminal;
  /** The status as this reader may see it. */
  status(administrator: boolean): Promise<StatusResponse>;
  /** Calls back at each change of the status, at most once a second; returns how to stop. */
  onStatusChange(listener: () => void): () => void;
  reload(): Promise<ReloadResponse>;
}

/** The handlers of warden.v1.Warden: parse, run one operation, encode. Nothing is decided here. */
export function wardenHandlers(deps: RpcDeps, host: ServiceHost): UntypedServiceImplementation {
  return {
    Sign: unary<SignRequest, SignResponse>(deps, { method: 'Sign', recordAs: 'sign' }, async (request, context) =>
      request.purpose === Purpose.HOST
        ? toSignResponse(await signHost(parseSignHostRequest(request), context), context)
        : toSignResponse(await sign(parseSignRequest(request), context), context),
    ),

    GetAuthorities: unary<GetAuthoritiesRequest, GetAuthoritiesResponse>(
      deps,
      { method: 'GetAuthorities', recordAs: null },
      async (_request, { world }) => toAuthorities(world),
    ),

    ListActors: unary<ListActorsRequest, ListActorsResponse>(
      deps,
      { method: 'ListActors', recordAs: null },
      async (_request, context) => ({ actors: (await listActors(context)).map(toActor) }),
    ),

    Explain: unary<ExplainRequest, ExplainResponse>(
      deps,
      { method: 'Explain', recordAs: 'explain' },
      async (request, context) => {
        if (request.exec !== undefined) {
          return toExplainResponse(await explainExec(parseExecStart(request.exec), request.ask, context), context);
        }
        if (request.fetch !== undefined) {
          return toExplainResponse(await explainFetch(parseFetchRequest(request.fetch), request.ask, context), context);
        }
        const asked = parseSignRequest(request.sign ?? SignRequest.fromPartial({}));
        return toExplainResponse(await explainSign(asked, request.ask, context), context);
      },
    ),

    Fetch: unary<FetchRequest, FetchResponse>(deps, { method: 'Fetch', recordAs: 'fetch' }, async (request, context) =>
      toFetchResponse(await fetchSecret(parseFetchRequest(request), context), context),
    ),

    Exec: execHandler(deps),

    ListRoutes: unary<ListRoutesRequest, ListRoutesResponse>(
      deps,
      { method: 'ListRoutes', recordAs: null },
      async (request, context) => toRoutes(await listRoutes(parseActorName(request.actor), context), context),
    ),

    Status: unary<StatusRequest, StatusResponse>(
      deps,
      { method: 'Status', recordAs: null },
      async (_request, context) => statusFor(host, await isAdministrator(context), context),
    ),

    WatchStatus: serverStream<StatusRequest, StatusResponse>(
      deps,
      { method: 'WatchStatus', recordAs: null },
      (_request, context) => watchStatus(host, context),
    ),

    QueryLedger: serverStream<QueryLedgerRequest, LedgerRecord>(
      deps,
      { method: 'QueryLedger', recordAs: null },
      (request, context) => queryLedger(toLedgerQuestion(parseQueryRequest(request)), host.ledger, context),
    ),

    Reload: unary<ReloadRequest, ReloadResponse>(
      deps,
      { method: 'Reload', recordAs: 'reload' },
      async (_request, context) => {
        await mayReload(context);
        return host.reload();
      },
    ),

    BreakGlass: unary<BreakGlassRequest, BreakGlassResponse>(
      deps,
      { method: 'BreakGlass', recordAs: 'break_glass' },
      async (request, context) => {
        const { reason, ticket, durationSeconds } = parseBreakGlassRequest(request);
        const input = { reason, ticket, durationSeconds: Number(durationSeconds) };
        const { until, receipt } = await breakGlass(input, host.hasTerminal, context);
        return { until: toTimestamp(until), ledgerSeq: receipt.seq };
      },
    ),

    Revoke: unary<RevokeRequest, RevokeResponse>(
      deps,
      { method: 'Revoke', recordAs: 'revoke' },
      async (request, context) =>
        toRevokeResponse(await revoke(parseRevokeRequest(request), host.issued, context), context),
    ),

    GetRevocationList: unary<GetRevocationListRequest, GetRevocationListResponse>(
      deps,
      { method: 'GetRevocationList', recordAs: null },
      async (_request, context) => {
        const { bytes, number, generatedAt, path, certificates } = context.services.restraints.list();
        return {
          list: bytes,
          number,
          generatedAt: toTimestamp(generatedAt),
          path: (await isAdministrator(context)) ? path : '',
          certificates: BigInt(certificates),
        };
      },
    ),

    ListHosts: unary<ListHostsRequest, ListHostsResponse>(
      deps,
      { method: 'ListHosts', recordAs: null },
      async (_request, context) => ({ hosts: (await listHosts(context)).map(toHost) }),
    ),

    Lockdown: unary<LockdownRequest, LockdownResponse>(
      deps,
      { method: 'Lockdown', recordAs: 'lockdown' },
      async (request, context) => {
        const { since, receipt } = await lockdown(parseLockdownRequest(request), context);
        return { since: since === null ? undefined : toTimestamp(since), ledgerSeq: receipt?.seq ?? 0n };
      },
    ),
  };
}

async function statusFor(host: ServiceHost, administrator: boolean, context: RequestContext): Promise<StatusResponse> {
  return { ...(await host.status(administrator)), caller: toCallerSeen(context.connection.caller) };
}

/** The status now, then at each change. One change waits at most: what came between is in the next answer. */
async function* watchStatus(host: ServiceHost, context: RequestContext): AsyncIterable<StatusResponse> {
  const administrator = await isAdministrator(context);
  let wake: (() => void) | null = null;
  let changed = true;
  const signal = (): void => {
    changed = true;
    wake?.();
  };
  const stop = host.onStatusChange(signal);
  context.signal.addEventListener('abort', signal);
  try {
    while (!context.signal.aborted) {
      if (changed) {
        changed = false;
        yield await statusFor(host, administrator, context);
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stop();
    context.signal.removeEventListener('abort', signal);
  }
}
