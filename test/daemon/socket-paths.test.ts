import { describe, expect, it } from 'vitest';
import { clientSockets, daemonPaths, defaultPaths, type PathFacts } from '../../src/kernel/paths.ts';

const user = (...own: string[]): PathFacts => ({ uid: 1000, home: '/home/u', isOwnDir: (path) => own.includes(path) });
const root: PathFacts = { uid: 0, home: '/root', isOwnDir: () => true };
const SYSTEM = {
  configDir: '/etc/warden',
  stateDir: '/var/lib/warden',
  socketPath: '/run/warden/wardend.sock',
  privateSocketFolder: false,
};

describe('default paths', () => {
  it('of a user follow the XDG variables', () => {
    const env = { XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s/', XDG_RUNTIME_DIR: '/r' };
    expect(defaultPaths(env, user())).toEqual({
      configDir: '/c/warden',
      stateDir: '/s/warden',
      socketPath: '/r/warden/wardend.sock',
      privateSocketFolder: false,
    });
  });

  it('of a user without the variables are below home, and in /run/user where that is ours', () => {
    expect(defaultPaths({}, user('/run/user/1000'))).toEqual({
      configDir: '/home/u/.config/warden',
      stateDir: '/home/u/.local/state/warden',
      socketPath: '/run/user/1000/warden/wardend.sock',
      privateSocketFolder: false,
    });
  });

  it('of a user without a runtime folder are in /tmp, in a folder that has to be private', () => {
    expect(defaultPaths({}, user())).toMatchObject({
      socketPath: '/tmp/warden-1000/wardend.sock',
      privateSocketFolder: true,
    });
  });

  it('ignore relative and empty values', () => {
    const env = { XDG_CONFIG_HOME: 'c', XDG_STATE_HOME: '', XDG_RUNTIME_DIR: '../r' };
    expect(defaultPaths(env, user())).toEqual(defaultPaths({}, user()));
  });

  it('of root are the system’s, a login session or not', () => {
    expect(defaultPaths({ XDG_RUNTIME_DIR: '/run/user/0', XDG_CONFIG_HOME: '/c' }, root)).toEqual(SYSTEM);
    expect(defaultPaths({}, user(), 'system')).toEqual(SYSTEM);
    expect(defaultPaths({}, root, 'user').configDir).toBe('/root/.config/warden');
  });

  it('of the daemon are first of all what systemd made for the unit', () => {
    const env = {
      CONFIGURATION_DIRECTORY: '/etc/warden-a:/etc/b',
      STATE_DIRECTORY: '/var/lib/private/warden',
      RUNTIME_DIRECTORY: '/run/warden-a',
      XDG_CONFIG_HOME: '/c',
    };
    expect(daemonPaths(env, user())).toEqual({
      configDir: '/etc/warden-a',
      stateDir: '/var/lib/private/warden',
      socketPath: '/run/warden-a/wardend.sock',
      privateSocketFolder: false,
    });
    expect(defaultPaths(env, user()).stateDir).toBe('/home/u/.local/state/warden');
    expect(daemonPaths({}, root)).toEqual(SYSTEM);
  });
});

describe('the client looks', () => {
  const rows: [string, Record<string, string>, PathFacts, string[]][] = [
    ['at WARDEN_SOCKET alone', { WARDEN_SOCKET: '/x.sock' }, user(), ['/x.sock']],
    [
      'at the user’s, then the system’s',
      { XDG_RUNTIME_DIR: '/r' },
      user(),
      ['/r/warden/wardend.sock', SYSTEM.socketPath],
    ],
    [
      'past an empty WARDEN_SOCKET',
      { WARDEN_SOCKET: '', XDG_RUNTIME_DIR: '/r' },
      user(),
      ['/r/warden/wardend.sock', SYSTEM.socketPath],
    ],
    [
      'in /tmp where the folder is ours',
      {},
      user('/tmp/warden-1000'),
      ['/tmp/warden-1000/wardend.sock', SYSTEM.socketPath],
    ],
    ['past a folder in /tmp that is not provably ours', {}, user(), [SYSTEM.socketPath]],
  ];
  it.each(rows)('%s', (_name, env, facts, expected) => {
    expect(clientSockets(env, facts)).toEqual(expected);
  });
});
