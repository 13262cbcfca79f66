import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Http2Server } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { versionWarning } from '../../client/neighbours.ts';
import manifest from '../../package.json' with { type: 'json' };
import type { Method } from '../../src/rpc/client/answers.ts';
import { Channel } from '../../src/rpc/client/channel.ts';
import { connectSocket } from '../../src/rpc/client/connect.ts';
import { frame } from '../../src/rpc/client/framing.ts';
import {
  ListActorsResponse,
  SignRequest,
  SignResponse,
  StatusResponse,
  WardenDefinition,
} from '../../src/rpc/generated/warden/v1/warden.ts';
import { clear, KEY } from '../e2e/support.ts';
import { json, warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

const folder = mkdtempSync(join(tmpdir(), 'warden-neighbours-'));
const servers: Http2Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Field 999, a text that no version of today knows. */
const UNKNOWN = Buffer.from([0xba, 0x3e, 0x05, ...Buffer.from('later')]);

/** A daemon of another version over the same wire: it knows Status and ListActors, and whatever else is unimplemented. */
async function otherDaemon(version: string, after: Buffer = Buffer.alloc(0)): Promise<string> {
  const answers: Readonly<Record<string, Uint8Array>> = {
    Status: StatusResponse.encode(
      StatusResponse.fromPartial({ version, posture: 'dev', mode: 'user', pid: 7 }),
    ).finish(),
    ListActors: ListActorsResponse.encode(
      ListActorsResponse.fromPartial({ actors: [{ name: 'agt-x', type: 'agt', maturity: 'M0' }] }),
    ).finish(),
  };
  const server = createServer();
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    stream.resume();
    const known = answers[String(headers[':path']).split('/').at(-1) ?? ''];
    const grpc = { ':status': 200, 'content-type': 'application/grpc+proto' };
    if (known === undefined) {
      stream.respond({ ...grpc, 'grpc-status': '12', 'grpc-message': 'unknown method' }, { endStream: true });
      return;
    }
    stream.respond(grpc, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(frame(Buffer.concat([known, after])));
  });
  servers.push(server);
  const path = join(folder, `${servers.length}.sock`);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return path;
}

describe('a client beside a daemon of another version', () => {
  test('an older one that does not know a request: both versions, which side to upgrade, code 2', async () => {
    const socket = await otherDaemon('0.0.9');
    const result = await warden(['lockdown', '--reason', 'test', '--socket', socket]);
    expect(result.code).toBe(2);
    expect(result.stderr).toBe(
      `warden: usage: wardend 0.0.9 does not know what warden ${manifest.version} asks\n  why: unimplemented\n  do: upgrade the daemon\n`,
    );
    expect(json(await warden(['lockdown', '--reason', 'test', '--socket', socket, '--json']))).toMatchObject({
      error: { reason: 'unimplemented', hint: 'upgrade the daemon' },
    });
  });

  test('what both know works, and the status warns once', async () => {
    const socket = await otherDaemon('0.0.9');
    expect((await warden(['actors', '--socket', socket])).stdout).toMatch(/^agt-x /m);
    const status = await warden(['status', '--socket', socket]);
    expect(status.code).toBe(0);
    expect(status.stderr).toBe(
      `warning: the daemon is 0.0.9 and this client ${manifest.version}: upgrade the daemon\n`,
    );
  });

  test('a newer one whose answers hold fields that nobody here knows', async () => {
    const socket = await otherDaemon('9.0.0', UNKNOWN);
    expect((await warden(['actors', '--socket', socket])).stdout).toMatch(/^agt-x /m);
    const status = await warden(['status', '--socket', socket]);
    expect(status.stdout).toMatch(/^wardend 9\.0\.0 · dev/);
    expect(status.stderr).toMatch(/: upgrade the client\n$/);
    expect((await warden(['lockdown', '--reason', 'x', '--socket', socket])).stderr).toMatch(
      /do: make daemon and client the same version\n$/,
    );
  });

  test.each([
    ['1.2.3', '1.2.9', null],
    ['1.2.3', '1.3.0', 'upgrade the daemon'],
    ['2.0.0', '1.9.9', 'upgrade the client'],
    ['0.10.0', '0.9.0', 'upgrade the client'],
    ['', '1.0.0', null],
  ])('daemon %j, client %s: %s', (daemon, client, expected) => {
    const warning = versionWarning(daemon, client);
    if (expected === null) expect(warning).toBeNull();
    else expect(warning).toContain(expected);
  });
});

describe('a daemon beside a newer client', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon();
  });
  afterAll(() => clear(daemon));

  test('takes a request with fields that it does not know, and answers one that it does not know as such', async () => {
    const channel = new Channel(await connectSocket(daemon.socket, 5_000), daemon.socket);
    const newer: Method<SignRequest, SignResponse> = {
      name: 'Sign',
      requestType: {
        encode: (request) => ({ finish: () => Buffer.concat([SignRequest.encode(request).finish(), UNKNOWN]) }),
      },
      responseType: SignResponse,
    };
    const request = SignRequest.fromPartial({ actor: 'agt-test', publicKey: KEY });
    const signed = await channel.unary(WardenDefinition.fullName, newer, request);
    expect(signed.certificate).toMatch(/^ssh-ed25519-cert-v01@openssh\.com /);
    const later = { ...newer, name: 'OfALaterVersion' };
    await expect(channel.unary(WardenDefinition.fullName, later, request)).rejects.toMatchObject({
      status: 12,
      reason: 'unimplemented',
    });
    channel.close();
  });
});
