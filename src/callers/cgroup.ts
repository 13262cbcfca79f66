/** What a process's control group says of the unit it runs in. */
export interface UnitFacts {
  /** Unit of the system manager; null in user.slice, in a container's root and where no manager made the group. */
  readonly unit: string | null;
  /** Unit of a user's manager, and the uid that this manager serves. */
  readonly userUnit: string | null;
  readonly userManagerUid: number | null;
}

const NONE: UnitFacts = { unit: null, userUnit: null, userManagerUid: null };
const UNIT = /^[A-Za-z0-9:_.@\\-]{1,240}\.(?:service|scope|socket|mount|swap)$/;
const USER_MANAGER = /^user@(\d{1,10})\.service$/;

/**
 * Reads /proc/PID/cgroup. Of systemd's groups only the outermost unit counts: what lies below it was delegated
 * and can be named at will by the service itself. Where a hybrid machine's two systemd hierarchies name
 * different units, neither is believed.
 */
export function parseCgroup(text: string): UnitFacts {
  let found: UnitFacts | null = null;
  for (const path of systemdPaths(text)) {
    const facts = unitOf(path);
    if (facts === NONE) continue;
    if (found !== null && (found.unit !== facts.unit || found.userUnit !== facts.userUnit)) return NONE;
    found = facts;
  }
  return found ?? NONE;
}

/** The unified hierarchy (`0::`) and, on legacy and hybrid machines, systemd's own (`name=systemd`). */
function systemdPaths(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\d+:(name=systemd)?:(\/.*)$/.exec(line);
    if (match === null || (match[1] === undefined && !line.startsWith('0::'))) return [];
    return [match[2] ?? ''];
  });
}

function unitOf(path: string): UnitFacts {
  // Outside the daemon's own cgroup namespace, or a group that is gone: nothing that can be relied on.
  if (path.startsWith('/../') || path === '/..' || path.endsWith(' (deleted)')) return NONE;
  const parts = path.split('/').slice(1);
  const outer = afterSlices(parts);
  const unit = plainName(outer[0] ?? '');
  if (!UNIT.test(unit)) return NONE;
  const manager = USER_MANAGER.exec(unit);
  if (manager !== null) {
    const inner = plainName(afterSlices(outer.slice(1))[0] ?? '');
    return UNIT.test(inner) ? { unit: null, userUnit: inner, userManagerUid: Number(manager[1]) } : NONE;
  }
  // Sessions and other groups of users are no services of the machine.
  return parts[0] === 'user.slice' ? NONE : { unit, userUnit: null, userManagerUid: null };
}

function afterSlices(parts: readonly string[]): readonly string[] {
  const first = parts.findIndex((part) => !part.endsWith('.slice'));
  return first === -1 ? [] : parts.slice(first);
}

/** systemd puts `_` before names that the kernel could take for one of its own files (`cpu.service`). */
function plainName(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name;
}
