import { join } from 'node:path';
import { usageError } from '../args.ts';
import type { NewFile } from '../new-folder.ts';
import type { Place } from './place.ts';
import { digestOf, type InstallRecord } from './record.ts';
import type { FileStep, Step } from './steps.ts';
import { fitUnit } from './units.ts';

export const ACCOUNT = 'warden';
/** Hands the CA key, which root alone can read, to the daemon. */
const CA_KEY_UNIT = 'wardend.service.d/10-ca-key.conf';

/** What is there already. */
export interface Machine {
  /** The bytes of a file; null where there is none. */
  read(path: string): Buffer | null;
  isFolder(path: string): boolean;
  readonly accountThere: boolean;
}

/**
 * The steps from what is there to an installation, in order; only those that are needed. Pure.
 * @throws WardenError invalid_request where something stands in the way that this program did not make
 */
export function planInstall(
  place: Place,
  machine: Machine,
  record: InstallRecord,
  /** To be put into an empty config folder; null: the config is there. */
  config: readonly NewFile[] | null,
): readonly Step[] {
  const system = place.whose === 'system';
  const group = system ? ACCOUNT : null;
  const folder = (path: string, mode: number, of: string | null): readonly Step[] =>
    machine.isFolder(path) ? [] : [{ kind: 'folder', path, mode, group: of }];
  const units = unitFiles(place, machine, config).flatMap((file) => needed(file, machine, record));
  return [
    // First, since the record of all that follows lies there.
    ...folder(place.unitDir, 0o755, null),
    ...(system && !machine.accountThere ? [{ kind: 'account', name: ACCOUNT } as const] : []),
    ...folder(place.configDir, system ? 0o750 : 0o700, group),
    ...(config ?? []).map((file): FileStep => configFile(file, place, group)),
    ...(units.some(({ path }) => path.includes('.d/'))
      ? folder(join(place.unitDir, 'wardend.service.d'), 0o755, null)
      : []),
    ...units,
    ...commands(place, units).map((argv) => ({ kind: 'command', argv }) as const),
  ];
}

function configFile({ name, bytes, mode, what }: NewFile, place: Place, group: string | null): FileStep {
  // The private key stays root's alone; the rest is for the daemon to read.
  const shared = group !== null && name !== 'ca_ed25519';
  return {
    kind: 'file',
    path: join(place.configDir, name),
    bytes,
    mode: shared ? mode | 0o040 : mode,
    group: shared ? group : null,
    what,
    part: 'config',
    replaces: false,
  };
}

function unitFiles(place: Place, machine: Machine, config: readonly NewFile[] | null): readonly FileStep[] {
  const files = [...place.units].map(([name, text]) => unitFile(place, name, fitUnit(text, place), 'unit'));
  const key = join(place.configDir, 'ca_ed25519');
  const settings = machine.read(join(place.configDir, 'warden.yaml'))?.toString('utf8') ?? '';
  const handedOver = config !== null || (settings.includes('credential:ca_ed25519') && machine.read(key) !== null);
  if (place.whose === 'user' || !handedOver) return files;
  const text = `# Written by warden install. docs/systemd.md says how to have the key encrypted on disk instead.
[Service]
LoadCredential=ca_ed25519:${key}
`;
  return [...files, unitFile(place, CA_KEY_UNIT, text, 'hands the CA key to the daemon')];
}

function unitFile(place: Place, name: string, bytes: string, what: string): FileStep {
  const path = join(place.unitDir, name);
  return { kind: 'file', path, bytes, mode: 0o644, group: null, what, part: 'unit', replaces: false };
}

/** The file, unless it is there as it should be. @throws WardenError invalid_request where it is not ours to replace */
function needed(file: FileStep, machine: Machine, record: InstallRecord): readonly FileStep[] {
  const there = machine.read(file.path);
  if (there === null) return [file];
  if (there.equals(Buffer.from(file.bytes))) return [];
  const written = record.units.find(({ path }) => path === file.path);
  if (written?.sha256 === digestOf(there)) return [{ ...file, replaces: true }];
  throw usageError(
    written === undefined
      ? `${file.path} is there already, and warden install did not write it`
      : `${file.path} was changed since warden install wrote it`,
    'move it away, and keep what is yours in it as a drop-in: systemctl edit',
  );
}

function commands({ whose, systemctl, units: shipped }: Place, changed: readonly FileStep[]): readonly string[][] {
  const sockets = [...shipped.keys()].filter((name) => name.endsWith('.socket'));
  const rebound = sockets.filter((name) => changed.some(({ path, replaces }) => replaces && path.endsWith(`/${name}`)));
  const run = (...args: string[]): string[] => [...systemctl, ...args];
  return [
    ...(changed.length > 0 ? [run('daemon-reload')] : []),
    // A socket takes its new settings only while its service is down.
    ...(rebound.length > 0 ? [run('stop', 'wardend.service', ...rebound)] : []),
    run('enable', '--now', ...sockets),
    ...(whose === 'system' ? [run('enable', 'wardend.service')] : []),
    // In user mode the first request starts it.
    run(whose === 'system' ? 'restart' : 'try-restart', 'wardend.service'),
  ];
}
