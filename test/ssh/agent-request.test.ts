import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgentFrames } from '../../src/ssh/agent-frames.ts';
import { MAX_FRAME } from '../../src/ssh/agent-numbers.ts';
import { type AgentRequest, readAgentRequest } from '../../src/ssh/agent-request.ts';
import { readUserauthRequest } from '../../src/ssh/userauth-request.ts';
import { WireError, WireWriter } from '../../src/ssh/wire.ts';
import { bindMessage, extensionMessage, hostOf, lockMessage, loginData, signMessage } from '../agent/support/frames.ts';

const blob = Buffer.from('a key');
const data = Buffer.from('some data');

describe('a message to the agent', () => {
  test.each<[string, Buffer, AgentRequest]>([
    ['asks for the keys', Buffer.of(11), { kind: 'identities' }],
    ['asks for a signature', signMessage(blob, data, 4), { kind: 'sign', blob, data, flags: 4 }],
    ['adds a key', Buffer.of(17, 1, 2, 3), { kind: 'add' }],
    ['adds a key with constraints', Buffer.of(25), { kind: 'add' }],
    ['removes a key', new WireWriter().uint8(18).string(blob).finish(), { kind: 'remove', blob }],
    ['removes all keys', Buffer.of(19), { kind: 'remove_all' }],
    ['locks', lockMessage(22, 'pw'), { kind: 'lock', passphrase: Buffer.from('pw') }],
    ['unlocks', lockMessage(23, 'pw'), { kind: 'unlock', passphrase: Buffer.from('pw') }],
    ['asks which extensions there are', extensionMessage('query'), { kind: 'query' }],
    ['is an extension that nobody here knows', extensionMessage('x@y', data), { kind: 'other_extension' }],
    ['is of a type that nobody here knows', Buffer.of(200, 1), { kind: 'unknown', type: 200 }],
  ])('%s', (_name, message, expected) => {
    expect(readAgentRequest(message)).toEqual(expected);
  });

  test('binds to a session', async () => {
    const host = await hostOf();
    const request = readAgentRequest(bindMessage(host, data, true));
    expect(request).toMatchObject({
      kind: 'session_bind',
      bind: { hostKey: host.blob, sessionId: data, forwarding: true },
    });
  });

  test.each([
    ['nothing at all', Buffer.alloc(0)],
    ['bytes after it', Buffer.of(11, 0)],
    ['a string that is cut short', signMessage(blob, data).subarray(0, -6)],
    ['a length that no message has', Buffer.from('0dffffffff00', 'hex')],
    ['an extension without a name', Buffer.of(27)],
    ['an extension whose name is no text', Buffer.from('1b00000002fffe', 'hex')],
  ])('with %s is refused', (_name, message) => {
    expect(() => readAgentRequest(message)).toThrow(WireError);
  });

  // Not refused as a message: it says that the connection leads somewhere, and whoever serves it must not forget that.
  test.each([
    [
      'an empty session id',
      extensionMessage(
        'session-bind@openssh.com',
        new WireWriter().string(blob).string('').string('').uint8(0).finish(),
      ),
    ],
    [
      'a session id of 129 bytes',
      extensionMessage(
        'session-bind@openssh.com',
        new WireWriter().string(blob).string(Buffer.alloc(129)).string('').uint8(0).finish(),
      ),
    ],
    [
      'bytes after it',
      extensionMessage(
        'session-bind@openssh.com',
        new WireWriter().string(blob).string(data).string('').uint8(0).uint8(0).finish(),
      ),
    ],
    ['nothing in it', extensionMessage('session-bind@openssh.com')],
  ])('a bind with %s is known for one', (_name, message) => {
    expect(readAgentRequest(message)).toEqual({ kind: 'malformed_bind' });
  });

  test('whatever the bytes are, it is read or refused', () => {
    const typed = fc.tuple(fc.constantFrom(11, 13, 17, 18, 19, 22, 23, 25, 27, 99), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          typed.map(([type, rest]) => Uint8Array.of(type, ...rest)),
        ),
        (bytes) => {
          for (const read of [readAgentRequest, readUserauthRequest]) {
            try {
              read(Buffer.from(bytes));
            } catch (error) {
              expect(error).toBeInstanceOf(WireError);
            }
          }
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('a stream of messages', () => {
  const framed = (message: Uint8Array): Buffer => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(message.length);
    return Buffer.concat([head, message]);
  };

  test('is cut into the same messages however it arrives', () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }), (sent, sizes) => {
        const stream = Buffer.concat(sent.map(framed));
        const frames = new AgentFrames();
        const received: Buffer[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          frames.push(stream.subarray(at, at + size));
          at += size;
          for (let message = frames.next(); message !== null; message = frames.next()) received.push(message);
        }
        expect(received.map((one) => one.toString('hex'))).toEqual(sent.map((one) => Buffer.from(one).toString('hex')));
        expect(frames.partial).toBe(false);
      }),
    );
  });

  test('may hold a message of the greatest length, and none that is longer or empty', () => {
    const frames = new AgentFrames();
    frames.push(framed(Buffer.alloc(MAX_FRAME)));
    expect(frames.next()).toHaveLength(MAX_FRAME);
    for (const length of [0, MAX_FRAME + 1, 0xffff_ffff]) {
      const wrong = new AgentFrames();
      const head = Buffer.alloc(4);
      head.writeUInt32BE(length);
      wrong.push(head);
      expect(() => wrong.next()).toThrow(WireError);
    }
  });

  test('that ends within a message says so', () => {
    const frames = new AgentFrames();
    frames.push(Buffer.of(0, 0, 0, 2, 11));
    expect(frames.next()).toBeNull();
    expect(frames.partial).toBe(true);
  });
});

describe('the data to be signed', () => {
  const login = { sessionId: Buffer.from('session'), blob, user: 'deploy' };

  test('is a login', () => {
    expect(readUserauthRequest(loginData(login))).toEqual({ ...login, hostKey: null });
  });

  test('is a login that names the host key', () => {
    const hostKey = Buffer.from('host key');
    expect(readUserauthRequest(loginData({ ...login, hostKey }))).toEqual({ ...login, hostKey });
  });

  test.each([
    ['is for another service', loginData({ ...login, service: 'ssh-userauth' })],
    ['uses another method', loginData({ ...login, method: 'hostbased' })],
    ['has bytes after it', Buffer.concat([loginData(login), Buffer.of(0)])],
    ['names a host key without the method for it', loginData({ ...login, hostKey: data, method: 'publickey' })],
    ['has no session', loginData({ ...login, sessionId: Buffer.alloc(0) })],
    ['is a signature of a file', Buffer.concat([Buffer.from('SSHSIG'), Buffer.alloc(40)])],
    ['is a challenge', Buffer.from('00'.repeat(32), 'hex')],
  ])('is refused where it %s', (_name, bytes) => {
    expect(() => readUserauthRequest(bytes)).toThrow(WireError);
  });
});
