import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { WardenError } from '../../src/kernel/errors.ts';

export const SPAWNER_SOCKET = '/run/warden/spawner.sock';

export interface SpawnerArguments {
  readonly socket: string;
  /** The uid that is answered. */
  readonly wardendUid: number;
  readonly wardendSocket: string;
  readonly allowRoot: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

export const USAGE = `wardend-spawner: starts commands for wardend as the callers who asked for them. Runs as root; knows no policy and no secret
store. Answers one user, and starts commands as processes that are connected to wardend at that moment, and as nobody else.

  wardend-spawner [--user NAME] [--socket PATH] [--wardend-socket PATH] [--allow-root]

  --user NAME            the user that wardend runs as, a name or a number; default warden
  --socket PATH          where it listens; default ${SPAWNER_SOCKET}. A socket that systemd hands over wins.
  --wardend-socket PATH  where wardend listens, as callers connect to it; default /run/warden/wardend.sock
  --allow-root           let root have commands started, too. Whoever takes wardend over while root is
                         connected to it could then do anything.
  --version, --help

Values that are handed over as files lie in $RUNTIME_DIRECTORY (default /run/warden-spawner), a tmpfs, for as long as
their command runs. Exit codes: 0 stopped as asked, 2 bad usage, 4 socket unusable, 5 internal.
`;

/** @throws WardenError invalid_request */
export function parseSpawnerArguments(argv: readonly string[]): SpawnerArguments {
  try {
    const { values } = parseArgs({
      args: [...argv],
      strict: true,
      options: {
        user: { type: 'string', default: 'warden' },
        socket: { type: 'string', default: SPAWNER_SOCKET },
        'wardend-socket': { type: 'string', default: '/run/warden/wardend.sock' },
        'allow-root': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', default: false },
      },
    });
    const { help, version } = values;
    return {
      socket: values.socket,
      wardendUid: help || version ? -1 : uidOf(values.user),
      wardendSocket: values['wardend-socket'],
      allowRoot: values['allow-root'],
      help,
      version,
    };
  } catch (cause) {
    if (cause instanceof WardenError) throw cause;
    const message = cause instanceof Error ? cause.message.split('. ')[0] : 'bad arguments';
    throw new WardenError('invalid_request', `${message}`, { hint: 'wardend-spawner --help', cause });
  }
}

function uidOf(user: string): number {
  if (/^\d{1,10}$/.test(user)) return Number(user);
  for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
    const [name, , uid] = line.split(':');
    if (name === user && uid !== undefined) return Number(uid);
  }
  throw new WardenError('invalid_request', `there is no user ${user}`, {
    hint: 'give --user the user that wardend runs as, by its number where it is not in /etc/passwd',
  });
}
