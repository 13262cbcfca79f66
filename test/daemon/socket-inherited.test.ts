import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignSockets, parseListenFds } from '../../daemon/inherited-sockets.ts';
import { bundle, bundleEnv, fixture, python, start, tempDir } from './attest-fixture.ts';

const shared = realpathSync(mkdtempSync(join(tmpdir(), 'warden-test-')));
const program = join(shared, 'inherited.mjs');
beforeAll(async () => {
  await bundle('inherited.ts', program);
});
afterAll(() => rmSync(shared, { recursive: true, force: true }));

function activated(path: string, kind: string) {
  return start(python, [fixture('activate.py'), path, kind, process.execPath, program], bundleEnv);
}

describe('a socket that systemd hands over', () => {
  it('is served, kept from children, and left in place at the end', async () => {
    const path = join(tempDir(), 's.sock');
    const daemon = activated(path, 'stream');
    expect(JSON.parse(await daemon.line())).toEqual({
      sockets: [{ fd: 3, name: 'grpc' }],
      paths: [path],
      inChild: '',
    });
    const answer = await new Promise((resolve, reject) => {
      connect(path).setEncoding('utf8').on('data', resolve).on('error', reject);
    });
    expect(answer).toBe('grpc');
    daemon.say('close');
    expect(await daemon.line()).toBe('"closed"');
    expect(existsSync(path)).toBe(true);
  });

  it.each(['datagram', 'unlistened', 'tcp', 'abstract'])('of the wrong kind is refused: %s', async (kind) => {
    const daemon = activated(join(tempDir(), 's.sock'), kind);
    expect(JSON.parse(await daemon.line())).toEqual({
      code: 'config_invalid',
      message: 'descriptor 3 (grpc) is not a listening Unix stream socket with a path',
      hint: 'use ListenStream= with an absolute path in the socket unit',
    });
  });
});

describe('the variables of socket activation', () => {
  const rows: [string, Record<string, string>, { fd: number; name: string }[]][] = [
    ['absent: none', {}, []],
    ['for this process', { LISTEN_PID: '7', LISTEN_FDS: '1', LISTEN_FDNAMES: 'a' }, [{ fd: 3, name: 'a' }]],
    ['for another process: none', { LISTEN_PID: '8', LISTEN_FDS: '1' }, []],
    [
      'without names',
      { LISTEN_PID: '7', LISTEN_FDS: '2' },
      [
        { fd: 3, name: 'unknown' },
        { fd: 4, name: 'unknown' },
      ],
    ],
    [
      'with fewer names than descriptors',
      { LISTEN_PID: '7', LISTEN_FDS: '2', LISTEN_FDNAMES: 'a' },
      [
        { fd: 3, name: 'a' },
        { fd: 4, name: 'unknown' },
      ],
    ],
    ['zero: none', { LISTEN_PID: '7', LISTEN_FDS: '0' }, []],
    ['negative: none', { LISTEN_PID: '7', LISTEN_FDS: '-1' }, []],
    ['no number: none', { LISTEN_PID: '7', LISTEN_FDS: '1e3' }, []],
    ['a pid that only looks alike: none', { LISTEN_PID: '07', LISTEN_FDS: '1' }, []],
  ];
  it.each(rows)('%s', (_name, env, expected) => {
    expect(parseListenFds(env, 7)).toEqual(expected);
  });

  it('name no more descriptors than there is sense in', () => {
    expect(parseListenFds({ LISTEN_PID: '7', LISTEN_FDS: '99' }, 7)).toHaveLength(16);
  });
});

it('several sockets are told apart by their names: what is for nothing else is for callers', () => {
  const named = ['wardend', 'credentials', 'unknown'].map((name, i) => ({ fd: 3 + i, name }));
  expect(assignSockets(named)).toEqual({ callers: [named[0], named[2]], credentials: [named[1]] });
});
