import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { type LiveConfig, openConfig } from '../../src/config/live-config.ts';
import { parseInventory, parseSettings } from '../../src/config/parse.ts';
import type { LoadOutcome } from '../../src/config/store.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { CONTEXT, configFolder, facts, inventoryWith, put } from './support.ts';

/** Raise it for a long run: `WARDEN_EDITS=1000 npx vitest run test/config/random-edits.test.ts`. */
const EDITS = Number(process.env.WARDEN_EDITS ?? 150);

/** What must be in force, or be said of the file, once an edit has been heard. */
type Expected = { readonly inForce: string } | { readonly said: string };

/** One edit of inventory.yaml; `tag` makes what it leaves behind unlike all before it. */
type Edit = (file: string, tag: string) => Expected;

function clear(file: string): void {
  if (existsSync(file) || isLink(file)) rmSync(file, { recursive: true });
}

function isLink(file: string): boolean {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

const EDITS_BY_NAME: Readonly<Record<string, Edit>> = {
  'written in place': (file, tag) => {
    if (isLink(file)) clear(file);
    put(file, inventoryWith(`agt-${tag}`));
    return { inForce: `agt-${tag}` };
  },
  'renamed over': (file, tag) => {
    put(`${file}.new`, inventoryWith(`agt-${tag}`));
    renameSync(`${file}.new`, file);
    return { inForce: `agt-${tag}` };
  },
  'deleted and created': (file, tag) => {
    clear(file);
    put(file, inventoryWith(`agt-${tag}`));
    return { inForce: `agt-${tag}` };
  },
  'a link to another file': (file, tag) => {
    const target = join(dirname(dirname(file)), `${tag}.yaml`);
    put(target, inventoryWith(`agt-${tag}`));
    symlinkSync(target, `${file}.link`);
    renameSync(`${file}.link`, file);
    return { inForce: `agt-${tag}` };
  },
  'a link through a folder': (file, tag) => {
    const folder = join(dirname(file), `..${tag}`);
    mkdirSync(folder, { mode: 0o755 });
    put(join(folder, 'inventory.yaml'), inventoryWith(`agt-${tag}`));
    symlinkSync(`..${tag}`, join(dirname(file), '..data.new'));
    renameSync(join(dirname(file), '..data.new'), join(dirname(file), '..data'));
    symlinkSync('..data/inventory.yaml', `${file}.link`);
    renameSync(`${file}.link`, file);
    return { inForce: `agt-${tag}` };
  },
  'written twice in one go': (file, tag) => {
    if (isLink(file)) clear(file);
    put(file, inventoryWith('agt-early'));
    put(file, inventoryWith(`agt-${tag}`));
    return { inForce: `agt-${tag}` };
  },
  'half written': (file, tag) => {
    put(`${file}.new`, `${inventoryWith(`agt-${tag}`)}  - { name: agt-half, typ${tag}: agt`);
    renameSync(`${file}.new`, file);
    return { said: 'not valid YAML' };
  },
  'a key that is not known': (file, tag) => {
    put(`${file}.new`, `version: 1\nactors: []\nzz_${tag}: 1\n`);
    renameSync(`${file}.new`, file);
    return { said: `unknown key \`zz_${tag}\`` };
  },
  'bytes that are no text': (file, tag) => {
    writeFileSync(`${file}.new`, Buffer.from(`\xff\xfe${tag}`, 'latin1'), { mode: 0o644 });
    renameSync(`${file}.new`, file);
    return { said: 'not UTF-8' };
  },
  emptied: (file) => {
    if (isLink(file) || !existsSync(file)) {
      clear(file);
      put(file, '');
    }
    chmodSync(file, 0o644);
    truncateSync(file);
    return { said: 'the file is empty' };
  },
  removed: (file) => {
    clear(file);
    return { said: 'there is no such file' };
  },
  'a link to nothing': (file) => {
    clear(file);
    symlinkSync('nowhere', file);
    return { said: 'there is no such file' };
  },
  'writable by everyone': (file, tag) => {
    put(`${file}.new`, inventoryWith(`agt-${tag}`));
    chmodSync(`${file}.new`, 0o666);
    renameSync(`${file}.new`, file);
    return { said: 'writable by group and others' };
  },
  'a folder': (file) => {
    clear(file);
    mkdirSync(file);
    return { said: 'not a regular file' };
  },
};

function fits(expected: Expected, outcome: LoadOutcome): boolean {
  if ('said' in expected)
    return outcome.kind === 'refused' && outcome.problems.some((problem) => problem.message.includes(expected.said));
  return outcome.kind !== 'refused' && outcome.snapshot.actors.has(expected.inForce);
}

/** Longer than any machine needs, so that a missed edit is a failure that names itself and not a hang. */
const MISSED_MS = 20_000;

function heard(config: LiveConfig, expected: Expected, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const missed = setTimeout(() => {
      const state = { actors: [...config.current.actors.keys()], problems: config.store.problems };
      reject(new Error(`${where}: not heard of; wanted ${JSON.stringify(expected)}, have ${JSON.stringify(state)}`));
    }, MISSED_MS);
    const stop = config.store.subscribe((outcome) => {
      if (!fits(expected, outcome)) return;
      clearTimeout(missed);
      stop();
      resolve();
    });
  });
}

test(`${EDITS} random edits and corruptions end in the right snapshot each time`, {
  timeout: 60_000 + EDITS * 1_000,
}, async () => {
  const dir = configFolder();
  const file = join(dir, 'inventory.yaml');
  const config = await openConfig({
    dir,
    daemonUid: process.getuid?.() ?? 0,
    parser: inProcessParser(() => facts),
    clock: systemClock,
    mayEmbed: false,
    watch: { pollMs: 25, quietMs: 10, mostMs: 50 },
  });
  onTestFinished(() => config.close());
  const names = Object.keys(EDITS_BY_NAME);
  const seed = Number(process.env.WARDEN_SEED ?? Date.now() % 1_000_000);
  const [order] = fc.sample(fc.array(fc.constantFrom(...names), { minLength: EDITS, maxLength: EDITS }), {
    numRuns: 1,
    seed,
  });
  let inForce = 'agt-a';
  let generation = config.current.generation;
  let said = '';
  for (const [index, name] of (order ?? []).entries()) {
    const tag = `${index}`;
    const where = `seed ${seed}, edit ${index}: ${name}`;
    const edit = EDITS_BY_NAME[name];
    if (edit === undefined) throw new Error(name);
    // A folder in the file's place is cleared first by every edit that could not otherwise write.
    if (lstatSync(file, { throwIfNoEntry: false })?.isDirectory()) rmSync(file, { recursive: true });
    const expected = edit(file, tag);
    // The same words twice in a row may come from before this edit: ask for a load of its own.
    if ('said' in expected && expected.said === said) await config.reload('signal');
    else await heard(config, expected, where);
    if ('inForce' in expected) {
      inForce = expected.inForce;
      said = '';
      expect(config.store.problems, where).toEqual([]);
      expect(config.current.generation, where).toBeGreaterThan(generation);
    } else {
      said = expected.said;
      expect(config.store.problems.map((problem) => problem.message).join('\n'), where).toContain(expected.said);
    }
    generation = config.current.generation;
    expect([...config.current.actors.keys()], where).toEqual([inForce]);
  }
});

test('no text makes the parser crash, and what it refuses it explains', () => {
  const piece = fc.constantFrom(
    'version: 1',
    'posture: dev',
    'actors:',
    '  - ',
    'name: agt-x',
    'type: agt',
    'principals: [p]',
    '\n',
    '\n  ',
    ': ',
    '- ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '&a ',
    '*a',
    '!!str ',
    '|\n',
    '>',
    '"',
    "'",
    '#',
    '\t',
    '\0',
    '\ud800',
    '__proto__',
    '<<: ',
    '? ',
    '%',
    '---\n',
    '1e999',
    '.nan',
    '0x',
    '\u2028',
    '\ufeff',
    'ü',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
    fc.string({ maxLength: 80, unit: 'binary' }),
  );
  fc.assert(
    fc.property(text, (content) => {
      const bytes = new TextEncoder().encode(content);
      for (const parsed of [
        parseSettings({ file: 'warden.yaml', bytes }, '/', facts),
        parseInventory({ file: 'inventory.yaml', bytes }, CONTEXT, facts),
      ]) {
        const isGood = 'settings' in parsed ? parsed.settings !== null : parsed.problems.length === 0;
        expect(isGood).toBe(parsed.problems.length === 0);
        for (const problem of parsed.problems) {
          expect(problem.line).toBeGreaterThan(0);
          expect(problem.column).toBeGreaterThan(0);
          expect(problem.message).toMatch(/^[^A-Z\n][^\n]*$/);
          expect(problem.hint).toMatch(/^[^\n]+$/);
        }
      }
    }),
    { numRuns: 1500 },
  );
});
