import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { WardenError } from '../../src/kernel/errors.ts';
import { defaultPaths } from '../../src/kernel/paths.ts';
import { usageError } from '../args.ts';
import { home, pathFacts } from '../paths.ts';
import type { UnitFacts } from './units.ts';

type Env = Readonly<Record<string, string | undefined>>;

export type Whose = 'user' | 'system';

/** Where an installation goes, and what it is fitted to. */
export interface Place extends UnitFacts {
  readonly whose: Whose;
  readonly unitDir: string;
  readonly configDir: string;
  readonly stateDir: string;
  /** The folder of the sockets. */
  readonly runtimeDir: string;
  /** Beside the units, where systemd takes no notice of it. */
  readonly record: string;
  /** `systemctl`, with what it takes to speak to the right manager. */
  readonly systemctl: readonly string[];
  /** Shipped unit files by name. */
  readonly units: ReadonlyMap<string, string>;
}

/** @throws WardenError invalid_request where systemd is missing or the programs can't be run from a unit */
export function placeOf(whose: Whose, env: Env): Place {
  const uid = process.getuid?.() ?? -1;
  if (whose === 'user' && uid === 0) {
    throw usageError("root has no installation of its own: its folders are the machine's", 'warden install --system');
  }
  const client = realpathSync(process.argv[1] ?? '');
  const root = dirname(dirname(client));
  const paths = defaultPaths(env, pathFacts(env), whose);
  const unitDir = whose === 'system' ? '/etc/systemd/system' : join(dirname(paths.configDir), 'systemd', 'user');
  return {
    whose,
    systemd: systemdVersion(),
    node: process.execPath,
    package: root,
    unitDir,
    configDir: paths.configDir,
    stateDir: paths.stateDir,
    runtimeDir: dirname(paths.socketPath),
    record: join(unitDir, 'wardend.install.json'),
    systemctl: whose === 'system' ? ['systemctl'] : ['systemctl', '--user'],
    units: shippedUnits(root, whose),
  };
}

/** What must hold before anything is done. @throws WardenError invalid_request with the mend */
export function checkPlace({ whose, node, package: root, systemctl }: Place, env: Env): void {
  if (whose === 'system' && process.getuid?.() !== 0) {
    throw usageError(
      'an installation for the whole machine takes root',
      'sudo warden install --system, or --user for yourself; --dry-run shows what it does',
    );
  }
  const booted = whose === 'system' ? existsSync('/run/systemd/system') : manages(systemctl);
  if (!booted) {
    const what = whose === 'system' ? 'the machine is not run by systemd' : 'no systemd runs for this user';
    const mend = whose === 'system' ? '' : ' (log in by ssh or on a console, not by su)';
    throw usageError(what, `start wardend by whatever starts your services${mend}: wardend --help`);
  }
  if (root.includes('/_npx/')) {
    throw usageError('npx keeps its packages for a while only', 'npm install -g wardend, then warden install');
  }
  if (whose === 'user') return;
  for (const path of [node, join(root, 'dist', 'wardend.mjs')]) {
    const closed = closedToOthers(path);
    if (closed !== null) {
      throw usageError(
        `the user warden could not run ${path}: ${closed} is closed to other users`,
        'install node and the package for everybody: as root, with a node of the machine, npm install -g wardend',
      );
    }
    if (/^\/(?:tmp|var\/tmp)\//.test(path)) {
      throw usageError(`${path} is in a folder that services have of their own`, 'npm install -g wardend');
    }
  }
  if (env.SUDO_UID !== undefined && env.HOME === undefined) throw usageError('HOME is not set', `HOME=${home(env)}`);
}

/** Of the path and the folders above it, the first that other users can't enter or read; null where they can. */
function closedToOthers(path: string): string | null {
  if ((statSync(path).mode & 0o004) === 0) return path;
  for (let at = dirname(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return at;
    if (at === dirname(at)) return null;
  }
}

function manages(systemctl: readonly string[]): boolean {
  const [program = '', ...args] = [...systemctl, 'show-environment'];
  return spawnSync(program, args, { stdio: 'ignore' }).status === 0;
}

function systemdVersion(): number {
  const { stdout } = spawnSync('systemctl', ['--version'], { encoding: 'utf8' });
  const found = /^systemd (\d+)/.exec(stdout ?? '')?.[1];
  if (found !== undefined) return Number(found);
  throw usageError(
    'there is no systemd on this machine',
    'start wardend by whatever starts your services: wardend --help',
  );
}

/** Units whose program this package does not hold are left out. */
function shippedUnits(root: string, whose: Whose): Map<string, string> {
  const folder = join(root, 'systemd', whose);
  if (!existsSync(folder)) {
    throw new WardenError('internal', `the package at ${root} holds no units`, {
      hint: 'install the whole package: npm install -g wardend',
    });
  }
  const spawner = existsSync(join(root, 'dist', 'wardend-spawner.mjs'));
  const names = readdirSync(folder).filter((name) => spawner || !name.startsWith('wardend-spawner.'));
  return new Map(names.sort().map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}
