import { accessSync, constants, readlinkSync, statSync } from 'node:fs';
import { WardenError } from '../../src/kernel/errors.ts';

export type Found = { readonly path: string } | { readonly missing: 'not_found' | 'not_executable' };

/**
 * Looks for a command with our own eyes: right where the caller's uid is ours.
 * @param cwd a link to the caller's working folder
 */
export function findProgram(name: string, searchPath: string, cwd: string): Found {
  let seen = false;
  for (const candidate of candidates(name, searchPath, () => readlinkSync(cwd))) {
    if (!isFile(candidate)) continue;
    seen = true;
    if (isExecutable(candidate)) return { path: candidate };
  }
  return { missing: seen || isFolder(name, cwd) ? 'not_executable' : 'not_found' };
}

/** @throws WardenError command_not_found | command_not_executable */
export function foundOrThrow(found: Found, name: string): string {
  if ('path' in found) return found.path;
  throw found.missing === 'not_found'
    ? new WardenError('command_not_found', `there is no command ${shown(name)}`)
    : new WardenError('command_not_executable', `${shown(name)} is not executable`);
}

/** The absolute paths that a shell would try, in its order. */
export function candidates(name: string, searchPath: string, cwd: () => string): readonly string[] {
  if (name === '' || name.includes('\0') || searchPath.includes('\0')) return [];
  if (name.startsWith('/')) return [name];
  if (name.includes('/')) return [`${cwd()}/${name}`];
  // An empty element is the working folder, as ever.
  return searchPath.split(':').map((folder) => `${folder.startsWith('/') ? folder : `${cwd()}/${folder}`}/${name}`);
}

/** What cannot be looked at (a folder on PATH that is somebody else's, a name too long, links in a ring) is not there. */
function isFile(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isFolder(name: string, cwd: string): boolean {
  if (!name.includes('/')) return false;
  try {
    return statSync(name.startsWith('/') ? name : `${readlinkSync(cwd)}/${name}`).isDirectory();
  } catch {
    return false;
  }
}

/** In a message: what a terminal shows as it is, and not too much of it. */
function shown(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name).slice(1, -1);
}
