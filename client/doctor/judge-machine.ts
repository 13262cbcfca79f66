import { type Check, finding, note, off, ok } from './check.ts';

export interface MachineFacts {
  /** `uname -r`. */
  readonly kernel: string;
  /** `v20.19.0`, of this client. */
  readonly node: string;
  readonly koffi: boolean;
  /** Null where a daemon answered, which says it of itself. */
  readonly terminals: boolean | null;
  /** Whether this process shares pid and user namespace with pid 1 of the machine as it sees it. */
  readonly container: 'none' | 'pid' | 'user' | 'both';
  readonly systemd: SystemdFacts | null;
}

export interface SystemdFacts {
  readonly version: number;
  /** Of the unit that the daemon runs in; null where it runs in none. */
  readonly unit: {
    readonly name: string;
    readonly type: string;
    readonly notify: string;
    readonly watchdog: string;
  } | null;
}

const KERNEL_FLOOR = [5, 4] as const;
const KERNEL_PEER_PIDFD = [6, 5] as const;
const NODE_FLOOR = [20, 19] as const;
const NOTIFY_RELOAD = 253;

/** The machine under the daemon. */
export function judgeMachine(facts: MachineFacts): Check[] {
  const terminals =
    facts.terminals === null
      ? []
      : facts.terminals
        ? [ok('terminals', 'commands can be given a terminal')]
        : [
            note(
              'terminals',
              'no terminal can be opened here: exec gives pipes',
              'mount devpts at /dev/pts, and install util-linux (setsid)',
            ),
          ];
  return [
    judgeKernel(facts.kernel),
    atLeast(facts.node.replace(/^v/, ''), NODE_FLOOR)
      ? ok('node', `Node ${facts.node}`)
      : finding('node', `Node ${facts.node} is too old`, 'Node 20.19 or newer'),
    facts.koffi
      ? ok('koffi', 'the native module koffi loads')
      : finding(
          'koffi',
          'the native module koffi does not load: no caller can be attested',
          'npm ci, on this very machine',
        ),
    ...terminals,
    judgeContainer(facts.container),
    judgeSystemd(facts.systemd),
  ];
}

function judgeKernel(kernel: string): Check {
  if (!atLeast(kernel, KERNEL_FLOOR))
    return finding('kernel', `kernel ${kernel} has no pidfd for callers`, 'kernel 5.4 or newer, best 6.5');
  if (!atLeast(kernel, KERNEL_PEER_PIDFD))
    return note('kernel', `kernel ${kernel}: a caller is pinned a moment after it connected (SO_PEERPIDFD is of 6.5)`);
  return ok('kernel', `kernel ${kernel} pins callers as they connect (SO_PEERPIDFD)`);
}

function judgeContainer(container: MachineFacts['container']): Check {
  if (container === 'none') return ok('container', 'this is no container');
  const what = container === 'both' ? 'pid and user namespaces' : `a ${container} namespace`;
  return note(
    'container',
    `this is a container with ${what} of its own: a daemon outside may see nothing but uid and gid`,
    'list callers in containers by uid and gid, or run a daemon inside',
  );
}

function judgeSystemd(systemd: SystemdFacts | null): Check {
  if (systemd === null) return off('systemd', 'no systemd runs here');
  const { version, unit } = systemd;
  if (unit === null) return off('systemd', `systemd ${version}; the daemon runs in no unit of its own`);
  const shown = `systemd ${version}, ${unit.name}: Type=${unit.type}, NotifyAccess=${unit.notify}, WatchdogSec=${unit.watchdog}`;
  if (unit.type === 'simple' || unit.type === 'exec')
    return finding('systemd', `${shown}: systemd takes it for ready before it is`, 'Type=notify in the unit');
  if (version >= NOTIFY_RELOAD && unit.type === 'notify')
    return note('systemd', shown, 'Type=notify-reload tells systemd when a reload is done (253 and newer)');
  return ok('systemd', shown);
}

function atLeast(version: string, floor: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major > floor[0] || (major === floor[0] && minor >= floor[1]);
}
