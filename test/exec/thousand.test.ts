import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXEC } from '../../client/exec-method.ts';
import { Channel } from '../../src/rpc/client/channel.ts';
import { connectSocket } from '../../src/rpc/client/connect.ts';
import { ExecRequest, ExecStart } from '../../src/rpc/generated/warden/v1/warden.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { execDaemon } from './support.ts';

const RUNS = 1_000;
const AT_ONCE = 8;
/** More than one chunk of a terminal, with a value at the very end. */
const SCRIPT = 'printf "%08192d" 0; printf "%08192d" 0 >&2; printf "<$TOKEN>"; exit 7';

let daemon: RunningDaemon;
let channel: Channel;
beforeAll(async () => {
  daemon = await execDaemon();
  channel = new Channel(await connectSocket(daemon.socket, 2_000), daemon.socket);
});
afterAll(async () => {
  channel?.close();
  await daemon?.stop();
  daemon?.house.remove();
});

/** What came before the end, and how it ended; anything behind the end would throw. */
async function run(terminal: boolean): Promise<string> {
  const call = channel.duplex(EXEC.service, EXEC.method);
  const value = ExecStart.fromPartial({
    routes: ['plain'],
    argv: ['/bin/sh', '-c', SCRIPT],
    ...(terminal && { stdin: true, terminal: { columns: 80, rows: 24 } }),
  });
  await call.send(ExecRequest.fromPartial({ message: { $case: 'start', value } }));
  let [stdout, stderr, end] = ['', '', ''];
  for await (const { message } of call.answers) {
    if (end !== '') throw new Error(`${message?.$case} came behind the end`);
    if (message?.$case === 'stdout') stdout += message.value.toString();
    else if (message?.$case === 'stderr') stderr += message.value.toString();
    else if (message?.$case === 'ended') {
      // Nobody says that nothing more will be sent: a call is over with its answers, as often as this connection likes.
      end = `${message.value.exitCode}${message.value.signal}`;
    }
  }
  return `${stdout.length} ${stderr.length} ${stdout.slice(-16)} ${end}`;
}

test.each([
  ['pipes', false, '8208 8192 <[masked:plain]> 7'],
  ['a terminal', true, '16400 0 <[masked:plain]> 7'],
])(
  `all output comes before the exit code, ${RUNS / 2} times over with %s`,
  { timeout: 240_000 },
  async (_name, terminal, wanted) => {
    const seen = new Map<string, number>();
    let left = RUNS / 2;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const outcome = await run(terminal);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(Object.fromEntries(seen)).toEqual({ [wanted]: RUNS / 2 });
  },
);
