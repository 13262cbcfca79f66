import type { Identity } from '../../src/access/become.ts';
import type { CallerProcess } from './caller-process.ts';
import type { Found } from './find-program.ts';
import { launch } from './launch.ts';
import { resultOf } from './output-of.ts';
import type { ValueFiles } from './value-files.ts';

/** Prints the path; 127 there is none, 126 none that may be executed. */
const SCRIPT = `
seen=
try() {
  case $1 in /*) path=$1 ;; *) path=$(pwd -P)/$1 ;; esac
  if [ -f "$path" ]; then
    [ -x "$path" ] && { printf '%s' "$path"; exit 0; }
    seen=1
  elif [ -d "$path" ] && [ "$2" = path ]; then seen=1
  fi
}
case $1 in
  '') ;;
  */*) try "$1" path ;;
  *)
    IFS=:
    set -f
    for folder in $2; do try "\${folder:-.}/$1" name; done
    ;;
esac
[ -n "$seen" ] && exit 126
exit 127
`;

export interface FindRequest {
  readonly name: string;
  readonly searchPath: string;
  readonly identity: Identity;
  readonly caller: CallerProcess;
}

/** Looks for a command as somebody else, since what root sees is not what they may see or execute. */
export async function findAs(
  { name, searchPath, identity, caller }: FindRequest,
  valueFiles: ValueFiles,
): Promise<Found> {
  if (name.includes('\0') || searchPath.includes('\0')) return { missing: 'not_found' };
  const { stdout, exitCode } = await resultOf(
    await launch(
      {
        program: '/bin/sh',
        copy: null,
        args: ['-c', SCRIPT, 'find', name, searchPath],
        env: new Map(),
        stdin: Buffer.alloc(0),
        files: new Map(),
        descriptors: new Map(),
        terminal: null,
        jobControl: false,
        network: true,
        identity,
        caller,
      },
      valueFiles,
    ),
  );
  if (exitCode === 0 && stdout.startsWith('/')) return { path: stdout };
  return { missing: exitCode === 126 ? 'not_executable' : 'not_found' };
}
