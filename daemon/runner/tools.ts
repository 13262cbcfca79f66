import { existsSync, statSync } from 'node:fs';
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
    cat: find('cat'),
    perl: forEverybody(look('perl')),
  };
  return found;
}

/** Some let root alone start perl: a command's own user has to. */
export function forEverybody(path: string | null): string | null {
  return path !== null && (statSync(path).mode & 0o001) !== 0 ? path : null;
}

function look(name: string): string | null {
  return TOOL_FOLDERS.map((folder) => `${folder}/${name}`).find((candidate) => existsSync(candidate)) ?? null;
}

function find(name: string): string {
  const path = look(name);
  if (path !== null) return path;
  throw new WardenError('route_unusable', `commands cannot be started: ${name} is not in ${TOOL_FOLDERS.join(', ')}`, {
    hint: 'install util-linux and coreutils',
  });
}
