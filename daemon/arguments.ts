import { parseArgs } from 'node:util';
import { WardenError } from '../src/kernel/errors.ts';

export interface DaemonArguments {
  readonly config: string | null;
  readonly socket: string | null;
  readonly state: string | null;
  readonly spawner: string | null;
  readonly help: boolean;
  readonly version: boolean;
}

export const USAGE = `wardend: answers people, agents and automation of this machine over one Unix socket.

  wardend [--config DIR] [--socket PATH] [--state DIR] [--spawner PATH]

  --config DIR    warden.yaml and inventory.yaml; default $XDG_CONFIG_HOME/warden, as root /etc/warden.
                  An empty or missing folder starts the dev posture on embedded defaults: synthetic only.
  --socket PATH   where it listens; default $XDG_RUNTIME_DIR/warden/wardend.sock, as root /run/warden/wardend.sock.
                  A socket that systemd hands over wins.
  --state DIR     the ledger and its keys; default $XDG_STATE_HOME/warden, as root /var/lib/warden
  --spawner PATH  where wardend-spawner listens, which starts commands as their callers. Default in system mode under a
                  user of its own /run/warden/spawner.sock; else the daemon starts them itself.
  --version, --help

Signals: SIGHUP reads the config again, SIGTERM and SIGINT drain and stop.
Exit codes: 0 stopped as asked, 1 refused (a state folder of another posture), 2 bad usage or config,
            4 socket or state folder unusable, 5 internal.
`;

/** @throws WardenError invalid_request */
export function parseArguments(argv: readonly string[]): DaemonArguments {
  try {
    const { values } = parseArgs({
      args: [...argv],
      strict: true,
      options: {
        config: { type: 'string' },
        socket: { type: 'string' },
        state: { type: 'string' },
        spawner: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    });
    return {
      config: values.config ?? null,
      socket: values.socket ?? null,
      state: values.state ?? null,
      spawner: values.spawner ?? null,
      help: values.help ?? false,
      version: values.version ?? false,
    };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('. ')[0] : 'bad arguments';
    throw new WardenError('invalid_request', `${message}`, { hint: 'wardend --help', cause });
  }
}
