import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkFolder, diffFolders } from '../../src/config/check.ts';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { type ConfigParser, ParserFailure } from '../../src/config/parser.ts';
import { formatProblem } from '../../src/config/problems.ts';
import type { FolderContent } from '../../src/config/read-folder.ts';
import { readFolder } from '../../src/config/read-folder.ts';
import type { LoadOutcome } from '../../src/config/store.ts';
import { configFolder, facts, inventoryWith, put, storeOf, tempFolder, WARDEN } from './support.ts';

/** What an outcome says, without the snapshot's content. */
const brief = (outcome: LoadOutcome): readonly unknown[] =>
  outcome.kind === 'refused'
    ? [outcome.reason, ...outcome.problems.map((problem) => `${problem.file}: ${problem.message}`)]
    : [outcome.kind, outcome.snapshot.generation];

function countingParser(): ConfigParser & { readonly parsed: string[] } {
  const inner = inProcessParser(() => facts);
  const parsed: string[] = [];
  return {
    ...inner,
    parsed,
    settings: (source, dir) => {
      parsed.push(source.file);
      return inner.settings(source, dir);
    },
    inventory: (source, context) => {
      parsed.push(source.file);
      return inner.inventory(source, context);
    },
  };
}

describe('the store', () => {
  test('loads, keeps what is good and numbers what it swaps in', async () => {
    const dir = configFolder();
    const store = storeOf(dir);
    expect(() => store.current).toThrow('no config has been loaded');
    expect(brief(await store.load())).toEqual(['swapped', 1]);
    expect([...store.current.actors.keys()]).toEqual(['agt-a']);
    expect(store.current).toMatchObject({ generation: 1, embedded: false, usesDigests: false, warnings: [] });

    put(join(dir, 'inventory.yaml'), inventoryWith('agt-a', 'agt-b'));
    expect(brief(await store.load())).toEqual(['swapped', 2]);

    put(join(dir, 'inventory.yaml'), 'version: 1\nactors: [{ name: agt-c }]\n');
    expect(brief(await store.load())).toEqual([
      'config_invalid',
      'inventory.yaml: `type` is missing',
      'inventory.yaml: `principals` is missing',
    ]);
    expect(store.problems).toHaveLength(2);
    expect([...store.current.actors.keys()]).toEqual(['agt-a', 'agt-b']);

    put(join(dir, 'inventory.yaml'), inventoryWith('agt-a', 'agt-b'));
    expect(brief(await store.load())).toEqual(['unchanged', 2]);
    expect(store.problems).toEqual([]);
  });

  test('another spelling of the same content is no change', async () => {
    const dir = configFolder();
    const store = storeOf(dir);
    await store.load();
    const before = store.current;
    put(join(dir, 'warden.yaml'), '# the same\nposture: "test"\nversion: 1\nlimits: { connections: 1024 }\n');
    expect(brief(await store.load())).toEqual(['unchanged', 1]);
    expect(store.current).toBe(before);
  });

  test('a snapshot does not change: not its actors, not its settings, not its map', async () => {
    const store = storeOf(configFolder());
    await store.load();
    const actor = store.current.actors.get('agt-a');
    expect(actor).toBeDefined();
    expect(Object.isFrozen(store.current) && Object.isFrozen(actor) && Object.isFrozen(actor?.principals)).toBe(true);
    expect(Object.isFrozen(store.current.settings.policy.claims) && Object.isFrozen(store.current.warnings)).toBe(true);
    const map = store.current.actors as Map<string, unknown>;
    expect(() => map.set('agt-evil', actor)).toThrow('a snapshot does not change');
    expect(() => map.delete('agt-a')).toThrow('a snapshot does not change');
    expect(() => map.clear()).toThrow('a snapshot does not change');
    expect([...map.keys()]).toEqual(['agt-a']);
  });

  test('an actor that did not change stays the same object', async () => {
    const dir = configFolder();
    const store = storeOf(dir);
    await store.load();
    const before = store.current.actors.get('agt-a');
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-b', 'agt-a'));
    await store.load();
    expect(store.current.actors.get('agt-a')).toBe(before);
  });

  test('a file that did not change is not parsed again', async () => {
    const dir = configFolder();
    const parser = countingParser();
    const store = storeOf(dir, { parser });
    await store.load();
    await store.load();
    expect(parser.parsed).toEqual(['warden.yaml', 'inventory.yaml']);
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-z'));
    await store.load();
    put(join(dir, 'warden.yaml'), `${WARDEN}limits: { connections: 7 }\n`);
    await store.load();
    expect(parser.parsed.slice(2)).toEqual(['inventory.yaml', 'warden.yaml']);
    // The ceilings are part of what an inventory means.
    put(join(dir, 'warden.yaml'), `${WARDEN}ttl_ceilings_hours: { agt: 12 }\n`);
    await store.load();
    expect(parser.parsed.slice(4)).toEqual(['warden.yaml', 'inventory.yaml']);
    expect(store.current.actors.get('agt-z')?.maxTtlSeconds).toBe(12 * 3600);
  });

  test('a file whose users changed on the machine is parsed again', async () => {
    const dir = configFolder({
      'warden.yaml': WARDEN,
      'inventory.yaml': 'version: 1\nactors: [{ name: agt-a, type: agt, principals: [p], callers: [{ user: new }] }]\n',
    });
    let uid: number | null = null;
    const store = storeOf(dir, { parser: inProcessParser(() => ({ ...facts, uid: () => uid })) });
    expect(brief(await store.load())).toEqual([
      'config_invalid',
      'inventory.yaml: there is no user `new` on this machine',
    ]);
    uid = 1234;
    expect(brief(await store.load())).toEqual(['swapped', 1]);
    expect(store.current.actors.get('agt-a')?.callers).toEqual([{ uid: 1234 }]);
  });

  test('every problem of both files is reported at once', async () => {
    const dir = configFolder({
      'warden.yaml': 'version: 1\npostur: dev\n',
      'inventory.yaml': inventoryWith('agt-a').replace('principals', 'principal'),
    });
    const outcome = await storeOf(dir).load();
    expect(brief(outcome)).toEqual([
      'config_invalid',
      'warden.yaml: `posture` is missing',
      'warden.yaml: unknown key `postur`; the nearest known key is `posture`',
      'inventory.yaml: `principals` is missing',
      'inventory.yaml: unknown key `principal`; the nearest known key is `principals`',
    ]);
    expect(outcome.kind === 'refused' && outcome.problems.map(formatProblem)[1]).toBe(
      'warden.yaml:2:1: unknown key `postur`; the nearest known key is `posture`\n  write: posture:',
    );
  });

  test.each([
    ['posture', `version: 1\nposture: prod\n`, ['posture']],
    ['socket', `${WARDEN}socket: { mode: "0660", group: warden }\n`, ['socket.mode', 'socket.group']],
  ] as const)('what is fixed at start is refused by name: %s', async (_name, text, keys) => {
    const dir = configFolder();
    const store = storeOf(dir);
    await store.load();
    put(join(dir, 'warden.yaml'), text);
    expect(brief(await store.load())).toEqual([
      'restart_required',
      ...keys.map((key) => `warden.yaml: \`${key}\` is fixed while the daemon runs`),
    ]);
    expect(store.current.settings.posture).toBe('test');
    put(join(dir, 'warden.yaml'), WARDEN);
    expect(brief(await store.load())).toEqual(['unchanged', 1]);
  });

  test.each([
    ['inventory.yaml', 'warden.yaml: there is no such file, and the posture is not guessed'],
    ['warden.yaml', 'inventory.yaml: there is no such file'],
  ] as const)('a folder that holds nothing but %s is not guessed at', async (kept, problem) => {
    const dir = configFolder();
    rmSync(join(dir, kept === 'warden.yaml' ? 'inventory.yaml' : 'warden.yaml'));
    expect(brief(await storeOf(dir, { mayEmbed: true }).load())).toEqual(['config_invalid', problem]);
  });

  test('files that vanish take nothing away', async () => {
    const dir = configFolder();
    const store = storeOf(dir, { mayEmbed: true });
    await store.load();
    rmSync(dir, { recursive: true });
    expect(brief(await store.load())).toEqual([
      'config_invalid',
      'warden.yaml: there is no such file, and the posture is not guessed',
    ]);
    expect([...store.current.actors.keys()]).toEqual(['agt-a']);
    expect(store.current.embedded).toBe(false);
  });

  test('a file that others can write is refused, and the last good state stays', async () => {
    const dir = configFolder();
    const store = storeOf(dir);
    await store.load();
    chmodSync(join(dir, 'inventory.yaml'), 0o666);
    expect(brief(await store.load())).toEqual(['config_invalid', 'inventory.yaml: writable by group and others']);
    expect(store.current.generation).toBe(1);
  });

  test('an empty folder stands for the defaults of the dev posture, until there are files', async () => {
    const dir = tempFolder();
    const store = storeOf(dir, { mayEmbed: true });
    expect(brief(await store.load())).toEqual(['swapped', 1]);
    expect(store.current).toMatchObject({ embedded: true, settings: { posture: 'dev' } });
    expect([...store.current.actors.values()].map((actor) => [actor.name, actor.callers])).toEqual([
      ['adm-example', null],
      ['agt-demo', null],
      ['atm-demo', null],
    ]);
    put(join(dir, 'warden.yaml'), 'version: 1\nposture: dev\n');
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-mine'));
    expect(brief(await store.load())).toEqual(['swapped', 2]);
    expect(store.current.embedded).toBe(false);
  });

  test('an empty folder is no config where defaults are not allowed', async () => {
    expect(brief(await storeOf(tempFolder()).load())).toEqual([
      'config_invalid',
      'warden.yaml: there is no such file, and the posture is not guessed',
    ]);
  });

  test('routes.yaml is part of the state, its hash included', async () => {
    const files = { 'warden.yaml': WARDEN, 'inventory.yaml': inventoryWith('agt-a') };
    const dir = configFolder(files);
    const store = storeOf(dir);
    await store.load();
    const { hash } = store.current;
    put(join(dir, 'routes.yaml'), 'version: 1\nroutes: []\n');
    expect((await store.load()).kind).toBe('swapped');
    expect(store.current.hash).not.toBe(hash);
    put(join(dir, 'routes.yaml'), 'anything: at all\n');
    expect((await store.load()).kind).toBe('refused');
    expect(store.problems.map(({ file, line }) => [file, line])).toEqual([
      ['routes.yaml', 1],
      ['routes.yaml', 1],
    ]);
  });

  test.each([
    [
      'an actor',
      WARDEN,
      `version: 1\nactors: [{ name: agt-a, type: agt, principals: [p], callers: [{ exe_sha256: ${'a'.repeat(64)} }] }]\n`,
      true,
    ],
    [
      'a host',
      WARDEN,
      `version: 1\nhosts: [{ name: h, host_certificate: { principals: [h], callers: [{ exe_sha256: ${'a'.repeat(64)} }] } }]\n`,
      true,
    ],
    ['the admins', `${WARDEN}admins: [{ exe_sha256: ${'a'.repeat(64)} }]\n`, inventoryWith('agt-a'), true],
    [
      'the break-glass',
      `${WARDEN}policy: { break_glass: { callers: [{ exe_sha256: ${'a'.repeat(64)} }] } }\n`,
      inventoryWith('agt-a'),
      true,
    ],
    ['nothing', WARDEN, inventoryWith('agt-a'), false],
  ] as const)('usesDigests says whether %s asks for one', async (_name, warden, inventory, expected) => {
    const store = storeOf(configFolder({ 'warden.yaml': warden, 'inventory.yaml': inventory }));
    await store.load();
    expect(store.current.usesDigests).toBe(expected);
  });

  test('a validator that fails keeps the old state; one is never asked at start', async () => {
    const dir = configFolder();
    const asked: number[] = [];
    let up = false;
    const problem = {
      file: 'warden.yaml',
      line: 0,
      column: 0,
      message: 'the decision point does not answer',
      hint: 'make it',
    };
    const store = storeOf(dir, {
      validators: [
        async (candidate, current) => {
          asked.push(candidate.generation, current.generation);
          return up ? [] : [problem];
        },
      ],
    });
    await store.load();
    expect(asked).toEqual([]);
    put(join(dir, 'warden.yaml'), `${WARDEN}policy: { enabled: true }\n`);
    expect(brief(await store.load())).toEqual(['preflight_failed', 'warden.yaml: the decision point does not answer']);
    expect(store.current.settings.policy.enabled).toBe(false);
    up = true;
    expect(brief(await store.load())).toEqual(['swapped', 2]);
    expect(asked).toEqual([2, 1, 2, 1]);
  });

  test('a parser that gives up is a problem, not a crash, and is asked again', async () => {
    const dir = configFolder();
    const parser = inProcessParser(() => facts);
    let dead = true;
    const store = storeOf(dir, {
      parser: {
        ...parser,
        inventory: async (source, context) => {
          if (dead) throw new ParserFailure('it needs too much memory');
          return parser.inventory(source, context);
        },
      },
    });
    expect(brief(await store.load())).toEqual([
      'config_invalid',
      'inventory.yaml: could not be read: it needs too much memory',
    ]);
    dead = false;
    expect(brief(await store.load())).toEqual(['swapped', 1]);
  });

  test('what no rule foresaw is a refusal with its cause for the log', async () => {
    const cause = new Error('disk on fire');
    const outcome = await storeOf('/nowhere', { read: () => Promise.reject(cause) }).load();
    expect(brief(outcome)).toEqual(['config_invalid', '.: the config could not be loaded']);
    expect(outcome.kind === 'refused' && outcome.cause).toBe(cause);
  });

  test('loads run one at a time; those that come during one share the next', async () => {
    const dir = configFolder();
    let reads = 0;
    let running = 0;
    const gates: (() => void)[] = [];
    const store = storeOf(dir, {
      read: async (folder, uid): Promise<FolderContent> => {
        reads += 1;
        running += 1;
        expect(running).toBe(1);
        if (reads === 1) await new Promise<void>((resolve) => gates.push(resolve));
        const content = await readFolder(folder, uid);
        running -= 1;
        return content;
      },
    });
    const outcomes: string[] = [];
    store.subscribe((outcome) => outcomes.push(outcome.kind));
    const first = store.load();
    const others = Array.from({ length: 50 }, () => store.load());
    put(join(dir, 'inventory.yaml'), inventoryWith('agt-new'));
    gates[0]?.();
    await first;
    const answers = await Promise.all(others);
    expect(reads).toBe(2);
    expect(new Set(answers).size).toBe(1);
    expect(store.current.actors.has('agt-new')).toBe(true);
    expect(outcomes).toEqual(['swapped', 'unchanged']);
  });
});

describe('checking without a daemon', () => {
  test('a good folder has a snapshot, a bad one its problems, an empty one a hint', async () => {
    const parser = inProcessParser(() => facts);
    expect((await checkFolder(configFolder(), { parser })).snapshot?.actors.size).toBe(1);
    const bad = await checkFolder(configFolder({ 'warden.yaml': 'version: 1\n', 'inventory.yaml': 'version: 1\n' }), {
      parser,
    });
    expect([bad.snapshot, bad.problems.map(formatProblem)]).toEqual([
      null,
      ['warden.yaml:1:1: `posture` is missing\n  write: posture: one of dev, test, prod'],
    ]);
    expect((await checkFolder('/nonexistent', { parser })).problems.map(formatProblem)).toEqual([
      'warden.yaml: there is no such file, and the posture is not guessed\n  write: `warden init` makes a config folder',
    ]);
  });

  test('two folders are compared in words', async () => {
    const after = configFolder({ 'warden.yaml': WARDEN, 'inventory.yaml': inventoryWith('agt-b') });
    expect(await diffFolders(configFolder(), after, { parser: inProcessParser(() => facts) })).toEqual({
      lines: ['agt-a: removed', 'agt-b: added with principal p-agt-b'],
      registryHandOverDue: true,
    });
  });
});
