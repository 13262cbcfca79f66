import { beforeAll, describe, expect, test } from 'vitest';
import { readAgentRequest, type SessionBind } from '../../src/ssh/agent-request.ts';
import { type Binding, bindSession, isForwarded, refusalOf, UNBOUND } from '../../src/ssh/session-binding.ts';
import { readUserauthRequest } from '../../src/ssh/userauth-request.ts';
import {
  bindMessage,
  type HostIdentity,
  hostOf,
  type LoginParts,
  loginData,
  rsaHost,
} from '../agent/support/frames.ts';

const session = (name: string): Buffer => Buffer.from(`session ${name}`.padEnd(32));
const bindOf = (host: HostIdentity, id: Buffer, forwarding: boolean, signed?: Buffer): SessionBind => {
  const request = readAgentRequest(bindMessage(host, id, forwarding, signed));
  if (request.kind !== 'session_bind') throw new Error('no bind');
  return request.bind;
};
const blob = Buffer.from('certificate');
const login = (parts: Partial<LoginParts> = {}) =>
  readUserauthRequest(loginData({ sessionId: session('a'), blob, ...parts }));

let jump: HostIdentity;
let inner: HostIdentity;
beforeAll(async () => {
  jump = await hostOf();
  inner = await hostOf('ecdsa-p256');
});

const bound = (...binds: readonly [HostIdentity, string, boolean][]): Binding =>
  binds.reduce(
    (binding, [host, name, forwarding]) => bindSession(binding, bindOf(host, session(name), forwarding)),
    UNBOUND,
  );

describe('binding a connection to a session', () => {
  test.each([
    ['ed25519', () => hostOf('ed25519')],
    ['ecdsa p384', () => hostOf('ecdsa-p384')],
    ['rsa of 2048 bits, which nobody certifies', () => rsaHost(2048)],
    ['rsa of 2048 bits with SHA-256', () => rsaHost(2048, 'rsa-sha2-256')],
  ])('takes a host with %s', async (_name, make) => {
    const binding = bindSession(UNBOUND, bindOf(await make(), session('a'), false));
    expect(binding).toMatchObject({ refused: null, sessions: [{ forwarded: false }] });
  });

  test.each([
    ['rsa of 1024 bits', () => rsaHost(1024)],
    ['rsa with SHA-1', () => rsaHost(2048, 'ssh-rsa')],
    ['a key that is none', async () => ({ ...(await hostOf()), blob: Buffer.from('nonsense') })],
    ["another host's key", async () => ({ ...(await hostOf()), blob: jump.blob })],
  ])('refuses a host with %s', async (_name, make) => {
    const binding = bindSession(UNBOUND, bindOf(await make(), session('a'), false));
    expect(binding).toEqual({ sessions: [], refused: expect.stringContaining('the host did not sign') });
  });

  test('refuses a signature over another session', () => {
    const binding = bindSession(UNBOUND, bindOf(jump, session('a'), false, session('b')));
    expect(binding.refused).toContain('the host did not sign');
  });

  test('refuses a second session after a login', () => {
    expect(bound([jump, 'a', false], [inner, 'b', false]).refused).toContain('bound for a login already');
    expect(bound([jump, 'a', false], [inner, 'b', true]).refused).toContain('bound for a login already');
  });

  test('refuses one session of two hosts, and takes a repeated one', () => {
    expect(bound([jump, 'a', true], [inner, 'a', true]).refused).toContain('two hosts claim one session');
    expect(bound([jump, 'a', true], [jump, 'a', true])).toMatchObject({ refused: null, sessions: [{}] });
  });

  test('remembers sixteen hops and refuses the next', () => {
    const hops = Array.from({ length: 17 }, (_, i): [HostIdentity, string, boolean] => [jump, `hop ${i}`, true]);
    expect(bound(...hops.slice(0, 16)).refused).toBeNull();
    expect(bound(...hops).refused).toContain('16 sessions');
  });

  test('a refusal stays, whatever is bound later', () => {
    const broken = bindSession(UNBOUND, bindOf(jump, session('a'), false, session('b')));
    expect(bindSession(broken, bindOf(jump, session('a'), false)).refused).toBe(broken.refused);
  });
});

describe('signing a login', () => {
  test.each<[string, () => Binding, 'jump' | 'inner' | null, boolean, string | null]>([
    ['over a connection that nobody bound is allowed', () => UNBOUND, null, false, null],
    ['for the session that is bound is allowed', () => bound([jump, 'a', false]), null, false, null],
    ['that names the host which is bound is allowed', () => bound([jump, 'a', false]), 'jump', false, null],
    ['for another session is refused', () => bound([jump, 'b', false]), null, false, 'for another session'],
    ['that names another host is refused', () => bound([jump, 'a', false]), 'inner', false, 'for another host'],
    [
      'over a forwarded agent is refused',
      () => bound([jump, 'b', true], [inner, 'a', false]),
      null,
      false,
      'forwarded',
    ],
    [
      'over a forwarded agent is allowed where that is wanted',
      () => bound([jump, 'b', true], [inner, 'a', false]),
      null,
      true,
      null,
    ],
    [
      'over a forwarded agent for the first hop is refused all the same',
      () => bound([jump, 'a', true], [inner, 'b', false]),
      null,
      true,
      'for another session',
    ],
    [
      'by a remote client that does not bind is refused',
      () => bound([jump, 'b', true]),
      null,
      true,
      'for another session',
    ],
    [
      'for the forwarding session itself is refused',
      () => bound([jump, 'a', true]),
      null,
      true,
      'that forwards the agent',
    ],
  ])('%s', (_name, binding, named, allowed, expected) => {
    const hostKey = named === null ? undefined : { jump, inner }[named].blob;
    const refusal = refusalOf(binding(), login(hostKey === undefined ? {} : { hostKey }), allowed);
    if (expected === null) expect(refusal).toBeNull();
    else expect(refusal).toContain(expected);
  });

  test('after a refused bind is refused', () => {
    const broken = bindSession(UNBOUND, bindOf(jump, session('a'), false, session('b')));
    expect(refusalOf(broken, login(), true)).toContain('the host did not sign');
  });

  test('a connection is forwarded once one of its sessions is', () => {
    expect(isForwarded(bound([jump, 'b', true], [inner, 'a', false]))).toBe(true);
    expect(isForwarded(bound([jump, 'a', false]))).toBe(false);
  });
});
