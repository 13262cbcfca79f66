import { native } from './native.ts';

/**
 * What the process itself can do for its secrets, before it reads the first one.
 *
 * - Not dumpable: another process of the same uid can neither attach to it nor read /proc/PID/{mem,environ,fd},
 *   and the kernel writes no core. It says nothing about root, nor about the files that the uid may read anyway.
 *   Its own /proc/self files become root's: wardend reads none that matters (/proc/PID of others stay as they were).
 * - No core: dumpable alone can be undone by a setting of the machine (fs.suid_dumpable); the limit can't.
 * - No ambient capabilities: those that its unit gives it are the daemon's, not those of a tool that it starts.
 * - umask 077: whatever file a part of the daemon forgets to give a mode is its owner's alone.
 */
export function harden(): void {
  process.umask(0o077);
  native().forbidCore();
  native().forbidDump();
  native().keepCapabilitiesToMyself();
}
