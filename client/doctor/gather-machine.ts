import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { release } from 'node:os';
import { promisify } from 'node:util';
import { native } from '../../src/unix/native.ts';
import { terminalsWork } from '../../src/unix/terminals.ts';
import type { MachineFacts, SystemdFacts } from './judge-machine.ts';

/** The kernel's numbers of the namespaces that the machine begins with (include/linux/proc_ns.h). */
const FIRST_PID_NS = 'pid:[4026531836]';
const FIRST_USER_NS = 'user:[4026531837]';
const RUN_MS = 5_000;

/** `daemonPid` where a daemon answered and its process can be seen from here. */
export async function gatherMachine(daemonPid: number | null): Promise<MachineFacts> {
  return {
    kernel: release(),
    node: process.version,
    koffi: loads(() => native()),
    terminals: daemonPid !== null ? null : terminalsWork(),
    container: containerOf(namespace('pid'), namespace('user')),
    systemd: existsSync('/run/systemd/system') ? await systemd(daemonPid) : null,
  };
}

/** By the names that /proc/self/ns gives; what cannot be read says nothing. */
export function containerOf(pid: string | null, user: string | null): MachineFacts['container'] {
  const [ownPid, ownUser] = [pid !== null && pid !== FIRST_PID_NS, user !== null && user !== FIRST_USER_NS];
  if (ownPid && ownUser) return 'both';
  return ownPid ? 'pid' : ownUser ? 'user' : 'none';
}

function namespace(kind: 'pid' | 'user'): string | null {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    return null;
  }
}

function loads(load: () => unknown): boolean {
  try {
    load();
    return true;
  } catch {
    return false;
  }
}

async function systemd(daemonPid: number | null): Promise<SystemdFacts | null> {
  const said = await run('systemctl', ['--version']);
  const version = Number(/^systemd (\d+)/.exec(said ?? '')?.[1]);
  if (!Number.isInteger(version)) return null;
  const place = daemonPid === null ? null : unitOf(daemonPid);
  if (place === null) return { version, unit: null };
  const scope = place.user ? ['--user'] : [];
  const shown = await run('systemctl', [...scope, 'show', '-p', 'Type,NotifyAccess,WatchdogUSec', '--', place.name]);
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(shown ?? '')?.[1] ?? 'unknown';
  return {
    version,
    unit: { name: place.name, type: value('Type'), notify: value('NotifyAccess'), watchdog: value('WatchdogUSec') },
  };
}

/** The service that a process runs in, by its cgroup. */
function unitOf(pid: number): { name: string; user: boolean } | null {
  try {
    return serviceIn(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  } catch {
    return null;
  }
}

/** Out of /proc/PID/cgroup: `0::/system.slice/wardend.service`. */
export function serviceIn(cgroup: string): { name: string; user: boolean } | null {
  const path = /^0::(\/.*)$/m.exec(cgroup)?.[1] ?? '';
  const name = path
    .split('/')
    .filter((part) => /^[\w@.:\\-]+\.service$/.test(part))
    .at(-1);
  return name === undefined || /^user@\d+\.service$/.test(name)
    ? null
    : { name, user: path.startsWith('/user.slice/') };
}

async function run(file: string, args: readonly string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)(file, args, { timeout: RUN_MS, maxBuffer: 65_536 })).stdout;
  } catch {
    return null;
  }
}
