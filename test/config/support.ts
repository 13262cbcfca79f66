import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Facts } from '../../src/config/facts.ts';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { parseInventory, parseSettings } from '../../src/config/parse.ts';
import type { InventoryContext, ParsedInventory, ParsedSettings } from '../../src/config/parser.ts';
import type { Settings } from '../../src/config/snapshot.ts';
import { ConfigStore, type ConfigStoreOptions } from '../../src/config/store.ts';
import { systemClock } from '../../src/kernel/clock.ts';

export const DIR = '/etc/warden';

/** A machine with one user, one group and a few programs. */
export const facts: Facts = {
  uid: (name) => (name === 'hub' ? 1001 : null),
  gid: (name) => ({ warden: 990, adm: 4 })[name] ?? null,
  fileIdentity: () => null,
  realPath: (path) =>
    ({
      '/usr/bin/git': '/usr/bin/git',
      '/usr/bin/python3': '/usr/bin/python3.11',
      '/usr/bin/tool': '/usr/bin/perl5.36',
    })[path] ?? null,
};

export const CONTEXT: InventoryContext = {
  ceilingsSeconds: { adm: 172_800, agt: 86_400, atm: 28_800 },
  tenant: 'tenant:platform',
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

export function settingsOf(text: string | Uint8Array): ParsedSettings {
  return parseSettings({ file: 'warden.yaml', bytes: typeof text === 'string' ? bytes(text) : text }, DIR, facts);
}

export function inventoryOf(text: string | Uint8Array, context = CONTEXT): ParsedInventory {
  return parseInventory(
    { file: 'inventory.yaml', bytes: typeof text === 'string' ? bytes(text) : text },
    context,
    facts,
  );
}

/** Settings of a file that must be good. */
export function goodSettings(text: string): Settings {
  const parsed = settingsOf(text);
  if (parsed.settings === null) throw new Error(JSON.stringify(parsed.problems));
  return parsed.settings;
}

/** Problems as a reader sees them: `file:line:column: message` and the hint. */
export function seen(parsed: {
  readonly problems: ParsedSettings['problems'];
}): readonly (readonly [string, string])[] {
  return parsed.problems.map((problem) => [
    `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`,
    problem.hint,
  ]);
}

export const WARDEN = 'version: 1\nposture: test\n';

export function inventoryWith(...names: readonly string[]): string {
  return `version: 1\nactors:\n${names.map((name) => `  - { name: ${name}, type: ${name.slice(0, 3)}, principals: [p-${name}] }\n`).join('')}`;
}

/** A folder of its own for one test, gone after it. */
export function tempFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'warden-config-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A config folder with these files, 0644 whatever the umask. */
export function configFolder(
  files: Readonly<Record<string, string>> = { 'warden.yaml': WARDEN, 'inventory.yaml': inventoryWith('agt-a') },
): string {
  const dir = join(tempFolder(), 'warden');
  mkdirSync(dir, { mode: 0o755 });
  for (const [name, text] of Object.entries(files)) put(join(dir, name), text);
  return dir;
}

export function put(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

export function storeOf(dir: string, more: Partial<ConfigStoreOptions> = {}): ConfigStore {
  return new ConfigStore({
    dir,
    daemonUid: process.getuid?.() ?? 0,
    parser: inProcessParser(() => facts),
    clock: systemClock,
    mayEmbed: false,
    ...more,
  });
}
