/** What bounds a process beyond its user, as /proc tells. Null: it may not be read. */
export interface Confinement {
  /** By name (`mnt`, `net` …), as the links in /proc/PID/ns read. */
  readonly namespaces: Readonly<Record<string, string | null>>;
  readonly noNewPrivs: boolean | null;
  /** 0 none, 1 strict, 2 filtered. */
  readonly seccomp: number | null;
  /** The capability bounding set. */
  readonly capabilities: bigint | null;
  /** Label of AppArmor or SELinux; "" where there is none. */
  readonly label: string;
}

/** Who reads it. A port: operations know this and nothing of /proc. */
export interface ConfinementReader {
  /** Of what the daemon would start. */
  own(): Confinement;
  /** Of the first process, which is in the machine's own namespaces; null where it may not be looked at. */
  init(): Confinement | null;
  /** Null: the process is gone, or not to be seen. */
  of(pid: number): Confinement | null;
}

/**
 * In which respects a caller is more confined than what would be started for it, each in words; none where it is not.
 * What can't be read or compared counts as confined: two filters may differ in anything. A namespace that is the
 * machine's own confines nobody, also where the daemon sits in one of its own. Landlock shows nowhere; a process that
 * took it on without privileges has no_new_privs, which does.
 */
export function tighter(caller: Confinement, own: Confinement, init: Confinement | null): readonly string[] {
  const found: string[] = [];
  for (const [name, ours] of Object.entries(own.namespaces)) {
    const theirs = caller.namespaces[name] ?? null;
    const machine = init?.namespaces[name] ?? null;
    if (theirs === null || (theirs !== ours && theirs !== machine)) found.push(`another ${name} namespace`);
  }
  if (caller.noNewPrivs === null || (caller.noNewPrivs && own.noNewPrivs !== true)) found.push('no_new_privs');
  if (caller.seccomp !== 0) found.push('a system call filter');
  if (caller.capabilities === null || own.capabilities === null || (own.capabilities & ~caller.capabilities) !== 0n) {
    found.push('fewer capabilities');
  }
  if (caller.label !== own.label && caller.label !== '' && caller.label !== 'unconfined')
    found.push('a security label');
  return found;
}
