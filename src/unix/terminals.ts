import { closeSync, constants, existsSync, openSync } from 'node:fs';

/** Where distributions have util-linux's small programs. */
export const TOOL_FOLDERS: readonly string[] = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/run/current-system/sw/bin'];

/** Whether a command can be given a terminal here: /dev/ptmx opens, and setsid is there to make it the controlling one. */
export function terminalsWork(): boolean {
  try {
    closeSync(openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY));
    return TOOL_FOLDERS.some((folder) => existsSync(`${folder}/setsid`));
  } catch {
    return false;
  }
}
