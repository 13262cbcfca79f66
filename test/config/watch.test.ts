import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fingerprint } from '../../src/config/fingerprint.ts';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { type LiveConfig, openConfig } from '../../src/config/live-config.ts';
import type { LoadOutcome } from '../../src/config/store.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { configFolder, facts, inventoryWith, put, tempFolder, WARDEN } from './support.ts';

type How = 'events' | 'poll' | 'both';

async function live(dir: string, how: How = 'both', mayEmbed = false): Promise<LiveConfig> {
  const config = await openConfig({
    dir,
    daemonUid: process.getuid?.() ?? 0,
    parser: inProcessParser(() => facts),
    clock: systemClock,
    mayEmbed,
    watch: { pollMs: how === 'events' ? 3_600_000 : 25, quietMs: 15, mostMs: 100, events: how !== 'poll' },
  });
  onTestFinished(() => config.close());
  return config;
}

/** Resolves with the first outcome, or the state that is there, that passes. */
function until(config: LiveConfig, holds: (outcome: LoadOutcome) => boolean): Promise<LoadOutcome> {
  return new Promise((resolve) => {
    const stop = config.store.subscribe((outcome) => {
      if (!holds(outcome)) return;
      stop();
      resolve(outcome);
    });
  });
}

const has =
  (name: string) =>
  (outcome: LoadOutcome): boolean =>
    outcome.kind !== 'refused' && outcome.snapshot.actors.has(name);
const refused = (outcome: LoadOutcome): boolean => outcome.kind === 'refused';

/** As Kubernetes lays a config map out: files are links through `..data`, a link to a folder that is swapped whole. */
function kubernetesFolder(): { readonly dir: string; swap(name: string, inventory: string, keepOld: boolean): void } {
  const dir = join(tempFolder(), 'warden');
  mkdirSync(dir, { mode: 0o755 });
  let old: string | null = null;
  const swap = (name: string, inventory: string, keepOld: boolean): void => {
    const folder = join(dir, `..${name}`);
    mkdirSync(folder, { mode: 0o755 });
    put(join(folder, 'warden.yaml'), WARDEN);
    put(join(folder, 'inventory.yaml'), inventory);
    symlinkSync(`..${name}`, join(dir, '..data_tmp'));
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'));
    if (old !== null && !keepOld) rmSync(old, { recursive: true });
    old = folder;
  };
  swap('1', inventoryWith('agt-a'), true);
  for (const file of ['warden.yaml', 'inventory.yaml']) symlinkSync(`..data/${file}`, join(dir, file));
  return { dir, swap };
}

/** Each way in which a file on disk comes to say something else. */
const CHANGES: readonly (readonly [string, (dir: string, text: string) => void])[] = [
  ['written in place', (dir, text) => put(join(dir, 'inventory.yaml'), text)],
  [
    'renamed over, as editors save',
    (dir, text) => {
      put(join(dir, '.inventory.yaml.swp'), text);
      renameSync(join(dir, '.inventory.yaml.swp'), join(dir, 'inventory.yaml'));
    },
  ],
  [
    'moved away and written anew, as other editors save',
    (dir, text) => {
      renameSync(join(dir, 'inventory.yaml'), join(dir, 'inventory.yaml~'));
      put(join(dir, 'inventory.yaml'), text);
    },
  ],
  [
    'deleted and created again',
    (dir, text) => {
      unlinkSync(join(dir, 'inventory.yaml'));
      put(join(dir, 'inventory.yaml'), text);
    },
  ],
  [
    'made a link to a file elsewhere',
    (dir, text) => {
      put(join(dirname(dir), 'elsewhere.yaml'), text);
      unlinkSync(join(dir, 'inventory.yaml'));
      symlinkSync('../elsewhere.yaml', join(dir, 'inventory.yaml'));
    },
  ],
];

describe('a change of a file is heard of', () => {
  test.each(
    CHANGES.flatMap(([name, change]) => (['events', 'poll'] as const).map((how) => [name, how, change] as const)),
  )('%s, by %s alone', async (_name, how, change) => {
    const dir = configFolder();
    const config = await live(dir, how);
    const heard = until(config, has('agt-new'));
    change(dir, inventoryWith('agt-new'));
    expect((await heard).kind).toBe('swapped');
    expect([...config.current.actors.keys()]).toEqual(['agt-new']);
  });

  test('a link is pointed at another file', async () => {
    const dir = configFolder();
    const above = dirname(dir);
    put(join(above, 'one.yaml'), inventoryWith('agt-one'));
    put(join(above, 'two.yaml'), inventoryWith('agt-two'));
    unlinkSync(join(dir, 'inventory.yaml'));
    symlinkSync('../one.yaml', join(dir, 'inventory.yaml'));
    const config = await live(dir);
    const heard = until(config, has('agt-two'));
    symlinkSync('../two.yaml', join(dir, 'link.tmp'));
    renameSync(join(dir, 'link.tmp'), join(dir, 'inventory.yaml'));
    await heard;
    expect(config.current.actors.has('agt-one')).toBe(false);
  });

  test('the target of a link is written', async () => {
    const dir = configFolder();
    put(join(dirname(dir), 'one.yaml'), inventoryWith('agt-one'));
    unlinkSync(join(dir, 'inventory.yaml'));
    symlinkSync('../one.yaml', join(dir, 'inventory.yaml'));
    const config = await live(dir);
    const heard = until(config, has('agt-two'));
    put(join(dirname(dir), 'one.yaml'), inventoryWith('agt-two'));
    expect((await heard).kind).toBe('swapped');
  });

  test.each([
    ['removed', false],
    ['kept', true],
  ] as const)('..data is swapped and the old folder %s', async (_name, keepOld) => {
    const kubernetes = kubernetesFolder();
    const config = await live(kubernetes.dir);
    for (const round of [2, 3, 4]) {
      const heard = until(config, has(`agt-r${round}`));
      kubernetes.swap(String(round), inventoryWith(`agt-r${round}`), keepOld);
      expect((await heard).kind).toBe('swapped');
    }
  });

  test('the folder is a link that moves from release to release', async () => {
    const above = tempFolder();
    for (const release of ['r1', 'r2']) {
      mkdirSync(join(above, release), { mode: 0o755 });
      put(join(above, release, 'warden.yaml'), WARDEN);
      put(join(above, release, 'inventory.yaml'), inventoryWith(`agt-${release}`));
    }
    const current = join(above, 'current');
    symlinkSync('r1', current);
    const config = await live(current);
    expect(config.current.actors.has('agt-r1')).toBe(true);
    const heard = until(config, has('agt-r2'));
    symlinkSync('r2', join(above, 'next'));
    renameSync(join(above, 'next'), current);
    expect((await heard).kind).toBe('swapped');
  });

  test('the folder is missing at start and appears later', async () => {
    const dir = join(tempFolder(), 'not', 'yet');
    const config = await live(dir, 'both', true);
    expect(config.current.embedded).toBe(true);
    const heard = until(config, has('agt-late'));
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    put(join(dir, 'warden.yaml'), 'version: 1\nposture: dev\n');
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-late'));
    await heard;
    expect(config.current.embedded).toBe(false);
  });

  test('the folder is removed and comes back: what was in force stays in between', async () => {
    const dir = configFolder();
    const config = await live(dir);
    const gone = until(config, refused);
    rmSync(dir, { recursive: true });
    await gone;
    expect(config.current.actors.has('agt-a')).toBe(true);
    const back = until(config, has('agt-back'));
    mkdirSync(dir, { mode: 0o755 });
    put(join(dir, 'warden.yaml'), WARDEN);
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-back'));
    expect((await back).kind).toBe('swapped');
  });

  test('a file that grows bit by bit is in force once it is whole', async () => {
    const dir = configFolder();
    const config = await live(dir);
    const heard = until(config, has('agt-whole'));
    const text = inventoryWith('agt-whole');
    put(join(dir, 'inventory.yaml'), '');
    for (const letter of text) {
      appendFileSync(join(dir, 'inventory.yaml'), letter);
      await new Promise(setImmediate);
    }
    await heard;
    expect(config.store.problems).toEqual([]);
  });

  test('after close nothing is read any more', async () => {
    const dir = configFolder();
    const config = await live(dir);
    await config.close();
    const outcomes: string[] = [];
    config.store.subscribe((outcome) => outcomes.push(outcome.kind));
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-x'));
    // A second daemon on the same folder hears of it: by then the closed one would have, too.
    const other = await live(dir);
    const heard = until(other, has('agt-y'));
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-y'));
    await heard;
    expect(outcomes).toEqual([]);
  });
});

test('a config that cannot be used is an error that holds every problem', async () => {
  const dir = configFolder({ 'warden.yaml': 'version: 1\n', 'inventory.yaml': 'version: 2\n' });
  await expect(live(dir)).rejects.toMatchObject({
    code: 'config_invalid',
    message: `the config in ${dir} is not usable\nwarden.yaml:1:1: \`posture\` is missing\n  write: posture: one of dev, test, prod\ninventory.yaml:1:10: \`version\`: this daemon reads version 1 of the file\n  write: version: 1`,
  });
});

describe('a fingerprint', () => {
  test('tells files apart by what the kernel says of them, and says when that is not enough', async () => {
    const dir = configFolder();
    const now = Date.now();
    const first = await fingerprint(dir, now);
    expect(first.racy).toBe(true);
    expect(await fingerprint(dir, now + 60_000)).toEqual({ text: first.text, racy: false });
    // A file that came and went leaves its trace in the folder's times.
    put(join(dir, 'routes.yaml'), 'x');
    unlinkSync(join(dir, 'routes.yaml'));
    expect((await fingerprint(dir, now)).text).not.toBe(first.text);
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-other'));
    expect((await fingerprint(dir, now)).text).not.toBe(first.text);
  });

  test('of nothing is an answer too', async () => {
    expect((await fingerprint('/nonexistent/warden', 0)).text).toBe('ENOENT\nENOENT\nENOENT\nENOENT');
  });
});
