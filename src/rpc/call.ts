import type { ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import type { RequestContext } from '../operations/context.ts';
import { conduct, type MethodName, noLonger, type RpcDeps, stopping } from './admit.ts';
import { encoded } from './after-encoding.ts';
import { anyOf } from './any-of.ts';
import { Turns } from './turns.ts';

/** One for the process, as is the event loop. Eight signs are about two milliseconds: a commit's worth. */
const turns = new Turns(8);

/** The one unary wrapper. */
export function unary<Req, Res>(
  deps: RpcDeps,
  name: MethodName,
  run: (request: Req, context: RequestContext) => Promise<Res>,
) {
  return (call: ServerUnaryCall<Req, Res>, done: sendUnaryData<Res>): Promise<void> =>
    conduct(
      deps,
      call,
      name,
      async (context) => {
        const turn = turns.next();
        if (turn !== null) await turn;
        const response = await run(call.request, context);
        done(null, response);
        // An answer that nobody waits for any more is never encoded, and its values must go all the same.
        setImmediate(() => encoded(response));
      },
      done,
    );
}

/**
 * The one server-streaming wrapper. `run` yields messages; each waits until the client has taken what came
 * before, so that a client that does not read holds a bounded amount of memory.
 */
export function serverStream<Req, Res>(
  deps: RpcDeps,
  name: MethodName,
  run: (request: Req, context: RequestContext) => AsyncIterable<Res>,
) {
  return (call: ServerWritableStream<Req, Res>): Promise<void> =>
    conduct(
      deps,
      call,
      { ...name, endsWithDaemon: true },
      async (context) => {
        for await (const message of run(call.request, context)) {
          if (context.signal.aborted) break;
          // A stream may outlive the program that asked for it, and its connection be in other hands.
          const lost = noLonger(context.connection);
          if (lost !== null) throw lost;
          if (!call.write(message)) await anyOf(call, ['drain'], context.signal);
        }
        if (deps.stopping.aborted) throw stopping();
        call.end();
      },
      (status) => call.emit('error', status),
    );
}
