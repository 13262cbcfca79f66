import type { Method } from '../src/rpc/client/answers.ts';
import { MAX_SINGLE_REQUEST, singleCall } from '../src/rpc/client/single-call.ts';
import type { Invocation } from './invocation.ts';
import { reachDaemon } from './reach-daemon.ts';

/** What is asked: a service, and one of its methods. */
export interface Question<Req, Res> {
  readonly service: string;
  readonly method: Method<Req, Res>;
}

/**
 * One question to the first daemon that answers, for commands whose start-up people wait for in scripts.
 * @throws as reachDaemon and singleCall
 */
export async function askDaemon<Req, Res>(
  invocation: Invocation,
  { service, method }: Question<Req, Res>,
  request: Req,
): Promise<Res> {
  if (method.requestType.encode(request).finish().length > MAX_SINGLE_REQUEST) {
    const { withDaemon } = await import('./connect.ts');
    return withDaemon(invocation, (channel) => channel.unary(service, method, request));
  }
  const { socket, path, headers } = await reachDaemon(invocation);
  return singleCall(socket, path, service, method, request, { headers });
}
