import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** What `npm pack` builds from, beside what it packs. */
const SOURCES = ['.ci', 'src', 'daemon', 'client', 'package.json'];

export interface Checkout {
  readonly folder: string;
  remove(): void;
}

/** A copy of the sources to build and pack in, so that a test replaces nobody's dist/. */
export function checkout(): Checkout {
  const folder = mkdtempSync(join(tmpdir(), 'warden-checkout-'));
  for (const name of new Set([
    ...SOURCES,
    ...packed().filter((entry) => entry !== 'dist' && existsSync(join(root, entry))),
  ])) {
    cpSync(join(root, name), join(folder, name), { recursive: true, force: false });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The entries of "files" in package.json. */
export function packed(): readonly string[] {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
  return files;
}

/** For npm: a home and a prefix of its own, but the registry and the certificates of this user and machine, and what `npm ci` has fetched already. */
export function npmEnv(home: string): NodeJS.ProcessEnv {
  const { npm_config_userconfig, npm_config_globalconfig, npm_config_cache, npm_config_registry, ...others } =
    process.env;
  const own = Object.entries(others).filter(([name]) => !/^npm_|^INIT_CWD$/i.test(name));
  return {
    ...Object.fromEntries(own),
    ...(npm_config_registry !== undefined && { npm_config_registry }),
    npm_config_userconfig: npm_config_userconfig ?? join(homedir(), '.npmrc'),
    // Beside another prefix npm would look for another one.
    npm_config_globalconfig: npm_config_globalconfig ?? join(dirname(dirname(process.execPath)), 'etc', 'npmrc'),
    npm_config_cache: npm_config_cache ?? join(homedir(), '.npm'),
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_prefix: join(home, 'prefix'),
    HOME: home,
  };
}
