import { readdirSync, readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** Linux counts start times in hundredths of a second for everybody, whatever it ticks in. */
const TICKS = 100;

/** Signals that mean the end: every process group of the command's session gets them, whoever is in the foreground. */
const ENDING: ReadonlySet<NodeJS.Signals> = new Set(['SIGTERM', 'SIGHUP', 'SIGKILL']);

/**
 * To the command's process group, with a terminal to the one in its foreground; signals that mean the end go to all of
 * its session. Never throws: who has ended by now, or has become somebody whom we may not signal, is left alone.
 */
export function signalSession(leader: number, terminal: boolean, name: NodeJS.Signals): void {
  if (!ENDING.has(name)) send(terminal ? foreground(leader) : leader, name);
  else for (const group of new Set([leader, ...groupsOf(leader)])) end(group, name);
}

/** Whether a signal makes a stopped command go on. */
export function continues(name: NodeJS.Signals): boolean {
  return name === 'SIGCONT' || ENDING.has(name);
}

/** A stopped process does not see that it is to end before it goes on. */
function end(group: number, name: NodeJS.Signals): void {
  send(group, name);
  send(group, 'SIGCONT');
}

/** How long what a command has left running may go on once it has ended, and then again after SIGTERM. */
export const LINGER_MS = 2_000;

/** Sessions whose leader has ended, by its pid, with the time of that in ticks since boot. */
const ended = new Map<number, { readonly ticks: number; readonly told: boolean }>();

/** A command's values end with it: so does what it left running in its session. One look serves all that ended by then. */
export function endWhatIsLeft(leader: number): void {
  if (ended.size === 0) sweepLater();
  ended.set(leader, { ticks: ticksIn(uptime()), told: false });
}

/** Seconds in hundredths, whole: 0.29 s times a hundred is less than 29, and who began in that tick would be of later. */
export function ticksIn(seconds: number): number {
  return Math.round(seconds * TICKS);
}

function sweepLater(): void {
  setTimeout(sweepEnded, LINGER_MS).unref();
}

function sweepEnded(): void {
  const latest = (uptime() - (0.9 * LINGER_MS) / 1000) * TICKS;
  const due = new Map([...ended].filter(([, { ticks }]) => ticks <= latest));
  const left = new Map<number, Set<number>>();
  for (const { session, group, started } of processes()) {
    // Who began later has the number of somebody who is gone.
    if (started <= (due.get(session)?.ticks ?? -1)) left.set(session, (left.get(session) ?? new Set()).add(group));
  }
  for (const [leader, before] of due) {
    const groups = left.get(leader);
    for (const group of groups ?? []) end(group, before.told ? 'SIGKILL' : 'SIGTERM');
    if (groups === undefined || before.told) ended.delete(leader);
    else ended.set(leader, { ...before, told: true });
  }
  if (ended.size > 0) sweepLater();
}

function send(group: number, name: NodeJS.Signals): void {
  try {
    process.kill(-group, name);
  } catch {
    // ESRCH, EPERM.
  }
}

function foreground(leader: number): number {
  const group = Number(statOf(leader)?.[5] ?? 0);
  return group > 0 ? group : leader;
}

function groupsOf(leader: number): readonly number[] {
  return processes()
    .filter(({ session }) => session === leader)
    .map(({ group }) => group);
}

interface Process {
  readonly group: number;
  readonly session: number;
  /** In ticks since boot. */
  readonly started: number;
}

/** A look at every process: some milliseconds, for the end of commands alone. */
function processes(): readonly Process[] {
  return readdirSync('/proc').flatMap((entry) => {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : null;
    if (stat === null || stat[0] === 'Z' || stat[0] === 'X') return [];
    return [{ group: Number(stat[2]), session: Number(stat[3]), started: Number(stat[19]) }];
  });
}

/** The fields after the program's name: state, parent, group, session, terminal, the terminal's foreground group. */
export function statOf(pid: number): readonly string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}
