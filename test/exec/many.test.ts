import { readFileSync } from 'node:fs';
import { credentials, Client as Grpc } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { EXEC } from '../../client/exec-method.ts';
import { Channel } from '../../src/rpc/client/channel.ts';
import { connectSocket } from '../../src/rpc/client/connect.ts';
import { ExecRequest, ExecResponse, ExecStart } from '../../src/rpc/generated/warden/v1/warden.ts';
import { recordsOf } from '../access/support.ts';
import type { RunningDaemon } from '../support/daemon.ts';
import { exec, execDaemon, until } from './support.ts';

const MANY = 64;
const EACH_BYTES = 4 * 1024 * 1024;

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await execDaemon(
    'version: 1\nposture: dev\nlimits: { per_caller_rate: 10000/s, per_caller_concurrency: 200, exec_concurrency: 128 }\n',
  );
});
afterAll(async () => {
  await daemon?.stop('SIGKILL');
  daemon?.house.remove();
});

const rssMb = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) / 1024;
const startOf = (script: string, more: Partial<ExecStart> = {}) =>
  ExecRequest.fromPartial({
    message: {
      $case: 'start',
      value: ExecStart.fromPartial({
        routes: ['plain'],
        argv: ['sh', '-c', script],
        environment: [{ name: Buffer.from('PATH'), value: Buffer.from(process.env.PATH ?? '') }],
        ...more,
      }),
    },
  });

test(`${MANY} commands that flood readers who do not read: the daemon's memory is bounded, and every byte arrives`, async () => {
  const channel = new Channel(await connectSocket(daemon.socket, 2_000), daemon.socket);
  try {
    await exec(daemon, ['--route', 'plain', '--', 'true']);
    const before = rssMb();
    const calls = Array.from({ length: MANY }, () => channel.duplex(EXEC.service, EXEC.method));
    for (const call of calls) await call.send(startOf(`echo "$TOKEN"; yes | head -c ${EACH_BYTES}`));
    // Each has begun, and none is read on.
    for (const { answers } of calls) {
      const first = await answers.next();
      expect(first.value).toMatchObject({ message: { $case: 'started' } });
    }
    // Other commands are not held up by them. As many as it takes until nothing more is held: each stands still by then.
    let held = 0;
    for (let grown = Number.POSITIVE_INFINITY; grown > 4; ) {
      expect(await exec(daemon, ['--route', 'plain', '--', 'echo', 'through'])).toMatchObject({ stdout: 'through\n' });
      const now = rssMb() - before;
      grown = now - held;
      held = now;
    }
    // Had nobody waited for the readers, it would be 256 MiB and more.
    expect(held).toBeLessThan(160);
    const ends = await Promise.all(
      calls.map(async ({ answers }) => {
        let bytes = 0;
        let wrong = 0;
        for await (const { message } of answers) {
          if (message?.$case === 'stdout') {
            bytes += message.value.length;
            if (message.value.includes('synthetic-')) wrong += 1;
          }
          if (message?.$case === 'ended') return { bytes, wrong, ended: message.value };
        }
        return { bytes, wrong, ended: null };
      }),
    );
    for (const { ended, wrong, bytes } of ends) {
      expect(ended).toMatchObject({ exitCode: 0, signal: '' });
      expect(Number(ended?.bytes)).toBeGreaterThan(EACH_BYTES);
      expect({ wrong, bytes }).toEqual({ wrong: 0, bytes: EACH_BYTES + '[masked:plain]\n'.length });
    }
  } finally {
    channel.close();
  }
});

test('a client that knows nothing of counting stdin is held up, and the daemon’s memory is bounded', async () => {
  const grpc = new Grpc(`unix:${daemon.socket}`, credentials.createInsecure());
  try {
    const before = rssMb();
    const call = grpc.makeBidiStreamRequest(
      '/warden.v1.Warden/Exec',
      (message: ExecRequest) => Buffer.from(ExecRequest.encode(message).finish()),
      (bytes: Buffer) => ExecResponse.decode(bytes),
    );
    call.on('error', () => {});
    const started = new Promise((resolve) => call.once('data', resolve));
    call.write(startOf('exec sleep 1000', { stdin: true }));
    await started;
    const chunk = ExecRequest.fromPartial({ message: { $case: 'stdin', value: Buffer.alloc(65_536) } });
    let sent = 0;
    for (; sent < 2_000 && call.write(chunk); sent++) await new Promise((resolve) => setImmediate(resolve));
    // It was told to wait long before 125 MiB.
    expect(sent).toBeLessThan(200);
    expect(rssMb() - before).toBeLessThan(64);
    call.cancel();
    await until(() => recordsOf(daemon.house).some(({ reason }) => reason === 'caller_gone'), 'its end is on record');
  } finally {
    grpc.close();
  }
});

test('a client that ends its side of the stream has ended stdin, and hears how the command ends', async () => {
  const grpc = new Grpc(`unix:${daemon.socket}`, credentials.createInsecure());
  try {
    const call = grpc.makeBidiStreamRequest(
      '/warden.v1.Warden/Exec',
      (message: ExecRequest) => Buffer.from(ExecRequest.encode(message).finish()),
      (bytes: Buffer) => ExecResponse.decode(bytes),
    );
    call.write(startOf('wc -c', { stdin: true }));
    call.write(ExecRequest.fromPartial({ message: { $case: 'stdin', value: Buffer.from('hello') } }));
    call.end();
    const seen: unknown[] = [];
    for await (const { message } of call as AsyncIterable<ExecResponse>) seen.push(message);
    expect(seen).toMatchObject([
      { $case: 'started' },
      { $case: 'stdout', value: Buffer.from('5\n') },
      { $case: 'ended', value: { exitCode: 0, signal: '' } },
    ]);
  } finally {
    grpc.close();
  }
});

test.each<[string, ExecRequest, string]>([
  [
    'no start',
    ExecRequest.fromPartial({ message: { $case: 'signal', value: 'SIGINT' } }),
    'the first message is no start',
  ],
  ['nothing in it', ExecRequest.fromPartial({}), 'the first message is no start'],
  ['no command', startOf('', { argv: [] }), 'there is no command'],
  ['a NUL in an argument', startOf('', { argv: ['sh', 'a\0b'] }), 'an argument has a NUL in it'],
  [
    'a variable without a name',
    startOf('', { additions: [{ name: Buffer.alloc(0), value: Buffer.alloc(0) }] }),
    'a variable has no name',
  ],
  [
    'a NUL in a variable',
    startOf('', { environment: [{ name: Buffer.from('A'), value: Buffer.from([0]) }] }),
    "a variable's value has a NUL in it",
  ],
  ['a terminal without rows', startOf('', { terminal: { columns: 80, rows: 0 } }), 'a terminal has columns and rows'],
  [
    'a reference that is no variable',
    startOf('', { references: [{ variable: 'A=B', route: 'plain', field: 'a' }] }),
    'a reference has no name of a variable',
  ],
])('a first message with %s is refused', async (_name, message, error) => {
  const channel = new Channel(await connectSocket(daemon.socket, 2_000), daemon.socket);
  try {
    const call = channel.duplex(EXEC.service, EXEC.method);
    await call.send(message);
    await expect(call.answers.next()).rejects.toMatchObject({ reason: 'invalid_request', message: error });
  } finally {
    channel.close();
  }
});

test.each<[string, ExecRequest]>([
  ['a second start', startOf('true')],
  ['a signal that is none', ExecRequest.fromPartial({ message: { $case: 'signal', value: 'SIGNONE' } })],
  ['too much stdin at once', ExecRequest.fromPartial({ message: { $case: 'stdin', value: Buffer.alloc(70_000) } })],
  ['an empty message', ExecRequest.fromPartial({})],
])('%s to a running command ends it', async (_name, message) => {
  const channel = new Channel(await connectSocket(daemon.socket, 2_000), daemon.socket);
  try {
    const call = channel.duplex(EXEC.service, EXEC.method);
    await call.send(startOf('exec sleep 1000', { stdin: true }));
    await call.answers.next();
    await call.send(message);
    expect((await call.answers.next()).value).toMatchObject({
      message: { $case: 'ended', value: { signal: 'SIGTERM', reason: 'invalid_request' } },
    });
  } finally {
    channel.close();
  }
});
