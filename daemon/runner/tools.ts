import { existsSync } from 'node:fs';
import { WardenError } from '../../src/kernel/errors.ts';
import { TOOL_FOLDERS } from '../../src/unix/terminals.ts';
import type { Tools } from './chain.ts';

let found: Tools | null = null;

/** Where the small programs are that commands are started through, looked up once. @throws WardenError route_unusable */
export function tools(): Tools {
  found ??= {
    setpriv: find('setpriv'),
    prlimit: find('prlimit'),
    setsid: find('setsid'),
    unshare: find('unshare'),
    env: find('env'),
  };
  return found;
}

function find(name: string): string {
  const path = TOOL_FOLDERS.map((folder) => `${folder}/${name}`).find((candidate) => existsSync(candidate));
  if (path !== undefined) return path;
  throw new WardenError('route_unusable', `commands cannot be started: ${name} is not in ${TOOL_FOLDERS.join(', ')}`, {
    hint: 'install util-linux and coreutils',
  });
}
