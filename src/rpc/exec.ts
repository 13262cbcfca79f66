import { constants } from 'node:os';
import { WardenError } from '../kernel/errors.ts';
import type { RequestContext } from '../operations/context.ts';
import { exec } from '../operations/exec.ts';
import type { ExecEvent, ExecOrder, ExecPeer } from '../operations/exec-peer.ts';
import type { RpcDeps } from './admit.ts';
import { type Duplex, duplex } from './duplex.ts';
import { toExecEnded, toExecStarted } from './encode.ts';
import type { ExecRequest, ExecResponse } from './generated/warden/v1/warden.ts';
import { parseExecStart, parseTerminal } from './messages.ts';

const MOST_STDIN_BYTES = 64 * 1024;

/** The handler of Exec: its first message is the request, what follows are orders to the running command. */
export function execHandler(deps: RpcDeps) {
  return duplex<ExecRequest, ExecResponse>(
    deps,
    { method: 'Exec', recordAs: 'exec_start' },
    async (first, call, context) => {
      if (first.message?.$case !== 'start') throw new WardenError('invalid_request', 'the first message is no start');
      await exec(parseExecStart(first.message.value), peerOf(call, context), context);
    },
    sizeOf,
  );
}

function sizeOf({ message }: ExecResponse): number {
  return message?.$case === 'stdout' || message?.$case === 'stderr' ? message.value.length : 0;
}

function peerOf(call: Duplex<ExecRequest, ExecResponse>, context: RequestContext): ExecPeer {
  return {
    send: (event) => call.send({ message: toMessage(event, context) }),
    orders: ordersOf(call.incoming),
    stopping: call.stopping,
  };
}

async function* ordersOf(incoming: AsyncIterable<ExecRequest>): AsyncGenerator<ExecOrder, void> {
  for await (const { message } of incoming) {
    switch (message?.$case) {
      case 'stdin':
        if (message.value.length > MOST_STDIN_BYTES) {
          throw new WardenError('invalid_request', `more than ${MOST_STDIN_BYTES} bytes of stdin in one message`);
        }
        yield { kind: 'stdin', bytes: message.value };
        break;
      case 'stdinEnd':
        yield { kind: 'stdin_end' };
        break;
      case 'resize':
        yield { kind: 'resize', terminal: parseTerminal(message.value) };
        break;
      case 'signal':
        yield { kind: 'signal', name: signalOf(message.value) };
        break;
      default:
        throw new WardenError('invalid_request', 'that message has no place in a running command');
    }
  }
}

function signalOf(name: string): NodeJS.Signals {
  if (Object.hasOwn(constants.signals, name)) return name as NodeJS.Signals;
  throw new WardenError('invalid_request', 'there is no such signal');
}

function toMessage(event: ExecEvent, context: RequestContext): NonNullable<ExecResponse['message']> {
  switch (event.kind) {
    case 'started':
      return { $case: 'started', value: toExecStarted(event.started, context) };
    case 'stdout':
    case 'stderr':
      return { $case: event.kind, value: asBuffer(event.bytes) };
    case 'stdin_taken':
      return { $case: 'stdinTaken', value: event.bytes };
    case 'stopped':
      return { $case: 'stopped', value: {} };
    case 'ended':
      return { $case: 'ended', value: toExecEnded(event.ended) };
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
