import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Client } from '../e2e/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon | undefined;
const sessions: ClientHttp2Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await daemon?.stop('SIGKILL');
  daemon?.house.remove();
});

async function open(socket: string): Promise<ClientHttp2Session> {
  const session = connect('http://localhost', { createConnection: () => connectSocket(socket) });
  session.on('error', () => {});
  sessions.push(session);
  await once(session, 'remoteSettings');
  return session;
}

/** Headers of a call, and of its message no more than its length: 200,000 bytes that do not come. */
function begin(session: ClientHttp2Session, path: string, message = Buffer.from([0, 0, 3, 13, 64])): ClientHttp2Stream {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.write(message);
  return stream;
}

async function statusOf(stream: ClientHttp2Stream): Promise<string | undefined> {
  const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
  return headers['grpc-status'] as string | undefined;
}

const SIGN = '/warden.v1.Warden/Sign';
const WATCH = '/grpc.health.v1.Health/Watch';
const EMPTY = Buffer.alloc(5);

describe('calls that never arrive', () => {
  it.each([
    ['half-sent requests', SIGN, undefined],
    ['watches of health, which nobody admits', WATCH, EMPTY],
  ])(
    '%s are taken up to 256 of one caller, and the caller is served again when they are gone',
    async (_what, path, message) => {
      daemon = await startDaemon();
      const [one, two, three] = [await open(daemon.socket), await open(daemon.socket), await open(daemon.socket)];
      const held = [one, two].flatMap((session) => Array.from({ length: 128 }, () => begin(session, path, message)));
      // In order on each connection: an answer to the ping says that all before it was read.
      for (const session of [one, two]) await new Promise((resolve) => session.ping(resolve));
      const refused = await Promise.all([begin(three, path, message), begin(three, SIGN)].map(statusOf));
      expect(refused).toEqual(['8', '8']);
      expect(held.filter((stream) => stream.closed)).toEqual([]);

      for (const session of [one, two]) session.destroy();
      const client = await Client.open(daemon.socket);
      await expect
        .poll(() =>
          client.sign().then(
            ({ evidence }) => evidence?.posture,
            () => null,
          ),
        )
        .toBe('dev');
      client.close();
    },
  );

  it('are ended after ten seconds, and others are served meanwhile', async () => {
    daemon = await startDaemon();
    const session = await open(daemon.socket);
    const ended = statusOf(begin(session, SIGN));
    const client = await Client.open(daemon.socket);
    expect((await client.sign()).evidence?.posture).toBe('dev');
    client.close();
    expect(await ended).toBe('4');
  }, 30_000);
});
