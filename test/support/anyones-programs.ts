import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Built, builtPrograms } from './built.ts';

const nodeModules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const examples = fileURLToPath(new URL('../../examples', import.meta.url));
/** What .ci/build.mjs leaves out of the bundles. */
const NOT_BUNDLED = ['koffi', '@cedar-policy/cedar-wasm'];

export interface AnyonesPrograms extends Built {
  readonly folder: string;
  /** For PATH: `warden` and `wardend`. */
  readonly bin: string;
  remove(): void;
}

/**
 * A copy of the programs that every user may run: a clone may lie in a folder that only its owner can enter. It
 * stands alone, with what the bundles load at run time and nothing else.
 */
export function anyonesPrograms(): AnyonesPrograms {
  const folder = mkdtempSync(join(tmpdir(), 'warden-programs-'));
  chmodSync(folder, 0o755);
  const dist = join(folder, 'dist');
  cpSync(dirname(builtPrograms().warden), dist, { recursive: true, filter: (path) => !path.endsWith('.map') });
  for (const name of needed(NOT_BUNDLED)) {
    cpSync(join(nodeModules, name), join(folder, 'node_modules', name), { recursive: true, dereference: true });
  }
  cpSync(examples, join(folder, 'examples'), { recursive: true });
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  symlinkSync('../dist/warden.cjs', join(bin, 'warden'));
  symlinkSync('../dist/wardend.mjs', join(bin, 'wardend'));
  symlinkSync('../dist/wardend-spawner.mjs', join(bin, 'wardend-spawner'));
  return {
    folder,
    bin,
    warden: join(dist, 'warden.cjs'),
    wardend: join(dist, 'wardend.mjs'),
    spawner: join(dist, 'wardend-spawner.mjs'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** These packages and all that they depend on, as far as it is installed here. */
function needed(names: readonly string[]): Set<string> {
  const found = new Set<string>();
  const add = (name: string): void => {
    const manifest = join(nodeModules, name, 'package.json');
    if (found.has(name) || !existsSync(manifest)) return;
    found.add(name);
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) add(next);
  };
  for (const name of names) add(name);
  return found;
}
