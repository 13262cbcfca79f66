/** Where the daemon and the client look when they are not told. All absolute. */
export interface Paths {
  readonly configDir: string;
  readonly stateDir: string;
  readonly socketPath: string;
  /** The socket's folder has a name in /tmp that anybody could have taken first: it must be ours and 0700. */
  readonly privateSocketFolder: boolean;
}

/** What the paths depend on beyond the environment. */
export interface PathFacts {
  readonly uid: number;
  /** The user's home folder, as the system knows it where HOME doesn't say. */
  readonly home: string;
  /** Whether a path is a folder (no link) of this uid with mode 0700. */
  readonly isOwnDir: (path: string) => boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

const SOCKET = 'wardend.sock';
const SYSTEM: Paths = {
  configDir: '/etc/warden',
  stateDir: '/var/lib/warden',
  socketPath: `/run/warden/${SOCKET}`,
  privateSocketFolder: false,
};

/** Of user mode or system mode; by default root's are the system's. */
export function defaultPaths(env: Env, facts: PathFacts, mode = facts.uid === 0 ? 'system' : 'user'): Paths {
  if (mode === 'system') return SYSTEM;
  return {
    configDir: `${absolute(env.XDG_CONFIG_HOME) ?? `${facts.home}/.config`}/warden`,
    stateDir: `${absolute(env.XDG_STATE_HOME) ?? `${facts.home}/.local/state`}/warden`,
    ...userSocket(env, facts),
  };
}

/**
 * The daemon's: what systemd made for the unit (`ConfigurationDirectory=` and so on) wins. Only the daemon
 * looks at these variables; a client inside some other unit would find that unit's folders in them.
 */
export function daemonPaths(env: Env, facts: PathFacts): Paths {
  const paths = defaultPaths(env, facts);
  const runtime = first(env.RUNTIME_DIRECTORY);
  return {
    ...paths,
    configDir: first(env.CONFIGURATION_DIRECTORY) ?? paths.configDir,
    stateDir: first(env.STATE_DIRECTORY) ?? paths.stateDir,
    ...(runtime === null ? {} : { socketPath: `${runtime}/${SOCKET}`, privateSocketFolder: false }),
  };
}

/**
 * The sockets that a client tries in turn: `WARDEN_SOCKET` alone where it is set, else the user's, then the
 * system's. A folder in /tmp that is not provably ours is left out: somebody else may be listening there.
 */
export function clientSockets(env: Env, facts: PathFacts): string[] {
  if (env.WARDEN_SOCKET !== undefined && env.WARDEN_SOCKET !== '') return [env.WARDEN_SOCKET];
  const user = userSocket(env, facts);
  const trusted = !user.privateSocketFolder || facts.isOwnDir(user.socketPath.slice(0, -SOCKET.length - 1));
  return trusted ? [user.socketPath, SYSTEM.socketPath] : [SYSTEM.socketPath];
}

function userSocket(env: Env, facts: PathFacts): Pick<Paths, 'socketPath' | 'privateSocketFolder'> {
  const standard = `/run/user/${facts.uid}`;
  const runtime = absolute(env.XDG_RUNTIME_DIR) ?? (facts.isOwnDir(standard) ? standard : null);
  return runtime === null
    ? { socketPath: `/tmp/warden-${facts.uid}/${SOCKET}`, privateSocketFolder: true }
    : { socketPath: `${runtime}/warden/${SOCKET}`, privateSocketFolder: false };
}

/** Relative paths in these variables are to be ignored, says the XDG specification. */
function absolute(path: string | undefined): string | null {
  if (path === undefined || !path.startsWith('/')) return null;
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}

/** systemd joins several folders with colons; the first is the unit's main one. */
function first(list: string | undefined): string | null {
  return absolute(list?.split(':')[0]);
}
