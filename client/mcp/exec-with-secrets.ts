import * as z from 'zod';
import { WardenError } from '../../src/kernel/errors.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import type { ExecEnded, ExecStart, ExecStarted } from '../../src/rpc/generated/warden/v1/warden.ts';
import { withDaemon } from '../connect.ts';
import { EXEC } from '../exec-method.ts';
import { ambientToken } from '../openbao-token.ts';
import { BoundedOutput } from './bounded-output.ts';
import { actor, command, reason, route, ticket } from './common.ts';
import { execStart } from './exec-start.ts';
import { defineTool } from './tool.ts';

const CHUNK_BYTES = 65_536;
/** Between SIGTERM and SIGKILL of a command whose time is over. */
const GRACE_MS = 5_000;

export const execWithSecrets = defineTool({
  name: 'exec_with_secrets',
  title: 'Run a command with secrets',
  description:
    'Runs a command with secrets in its environment or files, as the routes say, in the folder of this server. You get exit code and output, in which values show as [masked:ROUTE]. You never get a value. A non-zero exit code is no error of the tool.',
  input: z.strictObject({
    routes: z.array(route).min(1).max(16).describe('Whose secrets the command gets.'),
    command,
    actor,
    environment: z
      .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/), z.string().max(65_536))
      .optional()
      .describe('Variables to add. Nothing secret: use a route.'),
    stdin: z.string().max(262_144).optional().describe('Text for stdin; left out: empty.'),
    pristine: z
      .boolean()
      .optional()
      .describe('Without the environment of this server, but for PATH, HOME and the like.'),
    no_network: z.boolean().optional().describe('In an empty network namespace.'),
    timeout_seconds: z.number().int().min(1).max(3600).default(600).describe('Then it is ended.'),
    max_output_bytes: z
      .number()
      .int()
      .min(1024)
      .max(1_048_576)
      .default(65_536)
      .describe('Of stdout and stderr each. Of more you get start and end.'),
    reason,
    ticket,
  }),
  readOnly: false,
  async run(input, context) {
    const start = execStart(input, ambientToken(context.invocation.env), context);
    try {
      return await withDaemon(context.invocation, (channel) => runCommand(channel, start, input, context.signal));
    } finally {
      start.openbaoToken.fill(0);
    }
  },
});

interface Bounds {
  readonly stdin?: string | undefined;
  readonly timeout_seconds: number;
  readonly max_output_bytes: number;
}

async function runCommand(
  channel: Channel,
  start: ExecStart,
  { stdin, timeout_seconds: seconds, max_output_bytes: max }: Bounds,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const [stdout, stderr] = [new BoundedOutput(max), new BoundedOutput(max)];
  const call = channel.duplex(EXEC.service, EXEC.method);
  // The daemon ends the command of a client that is gone.
  const leave = (): void => channel.close();
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  let timedOut = false;
  const timers: NodeJS.Timeout[] = [];
  const send = (name: NodeJS.Signals): void => void call.send({ message: { $case: 'signal', value: name } });
  let started: ExecStarted | null = null;
  try {
    await call.send({ message: { $case: 'start', value: start } });
    for await (const { message } of call.answers) {
      if (message?.$case === 'stdout') stdout.push(message.value);
      else if (message?.$case === 'stderr') stderr.push(message.value);
      else if (message?.$case === 'started') {
        started = message.value;
        timers.push(
          setTimeout(() => {
            timedOut = true;
            send('SIGTERM');
            timers.push(setTimeout(() => send('SIGKILL'), GRACE_MS));
          }, seconds * 1000),
        );
        if (stdin !== undefined) void type(stdin);
      } else if (message?.$case === 'ended' && started !== null) {
        return toResult(started, message.value, { stdout, stderr, timedOut });
      }
    }
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal.removeEventListener('abort', leave);
  }
  throw new WardenError('internal', 'the daemon told neither start nor end of the command', {
    hint: 'make daemon and client the same version',
  });

  async function type(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      await call.send({ message: { $case: 'stdin', value: bytes.subarray(at, at + CHUNK_BYTES) } });
    }
    await call.send({ message: { $case: 'stdinEnd', value: {} } });
  }
}

interface Outcome {
  readonly stdout: BoundedOutput;
  readonly stderr: BoundedOutput;
  readonly timedOut: boolean;
}

function toResult(
  started: ExecStarted,
  ended: ExecEnded,
  { stdout, stderr, timedOut }: Outcome,
): Record<string, unknown> {
  const { unmasked } = started;
  return {
    exit_code: ended.signal === '' ? ended.exitCode : undefined,
    signal: ended.signal || undefined,
    timed_out: timedOut || undefined,
    ended_by_daemon: ended.reason === '' ? undefined : { reason: ended.reason, message: ended.message },
    ...(unmasked.length > 0
      ? { withheld: `a value of ${unmasked.join(', ')} is too short to be masked: the output is not shown` }
      : { stdout: stdout.text(), stderr: stderr.text() }),
    stdout_bytes: stdout.bytes,
    stderr_bytes: stderr.bytes,
    truncated: stdout.truncated || stderr.truncated || undefined,
    duration_ms: ended.durationMs,
    actor: started.actor,
    command: started.command,
    routes: started.routes.map(({ route, policyDecisionId, policyEffect, ledgerSeq }) => ({
      route,
      policy_decision_id: policyDecisionId || undefined,
      policy_effect: policyEffect || undefined,
      ledger_seq: ledgerSeq,
    })),
    synthetic: started.double || undefined,
    posture: started.posture,
    ledger_seq: ended.ledgerSeq,
    request_id: started.requestId,
  };
}
