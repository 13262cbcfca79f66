import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { GLOBAL_OPTIONS, type OptionSpec } from '../../client/command-spec.ts';
import { COMMANDS } from '../../client/commands.ts';
import { PAGES } from '../../client/explain-pages.ts';
import { REASONS } from '../../src/kernel/reason.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const inside = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));

/** The first words of each command: of `ledger verify`, `ledger` too, which stands for the family. */
const NAMES = new Set(COMMANDS.flatMap(({ name }) => [name, name.split(' ')[0] ?? '']));

/** What is named before it is there. */
const NOT_YET: readonly string[] = [];
/** `warden itself failed`, in a template. */
const NO_COMMAND = ['itself'];

/** What stands after `warden` where a text names a command: in code, after "run" colons, or at a prompt. */
function named(text: string): string[] {
  const code = text.replace(/^ *(?:\/\/|\/?\*).*$/gm, '');
  const found = code.matchAll(/(?:`|: |\$ )warden ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/g);
  return [...found].map(([, first = '', second]) => {
    const family = COMMANDS.some(({ name }) => name.startsWith(`${first} `));
    const whole = COMMANDS.some(({ name }) => name === first);
    return family && !whole && second !== undefined ? `${first} ${second}` : first;
  });
}

const allowed = new Set([...NAMES, ...NOT_YET, ...NO_COMMAND]);

describe('every command that a text sends people to exists', () => {
  test.each([
    ...readdirSync(root).filter((name) => name.endsWith('.md')),
    ...inside('docs', '.md'),
    ...inside('examples', '.md'),
    ...inside('client', '.ts'),
    ...inside('daemon', '.ts'),
    ...inside('src', '.ts').filter((name) => !name.includes('generated')),
  ])('in %s', (file) => {
    expect(named(readFileSync(join(root, file), 'utf8')).filter((name) => !allowed.has(name))).toEqual([]);
  });

  test('what is not there yet is not there', () => {
    expect(NOT_YET.filter((name) => NAMES.has(name))).toEqual([]);
  });

  test('the hint of every reason and the page on it are among them', () => {
    const texts = [
      ...Object.values(REASONS).map(({ hint }) => hint),
      ...Object.values(PAGES).flatMap(({ mend }) => mend),
    ];
    expect(texts.flatMap((text) => named(`: ${text}`)).length).toBeGreaterThan(10);
  });
});

/** `warden …` lines of the examples in help and in the pages. */
const lines = [
  ...COMMANDS.flatMap(({ examples }) => examples.map(({ run }) => run)),
  ...['README.md', ...inside('docs', '.md'), ...inside('examples', '.md')].flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:\$ )?(warden [a-z].*)$/gm)].map(([, line = '']) => line),
  ),
];

describe('every command line that is shown is one that the client takes', () => {
  test.each([...new Set(lines)])('%s', (line) => {
    const [, words = ''] = /(?:^|[ (])warden ([^|>&;)]*)/.exec(line) ?? [];
    const bare = words
      .replace(/#.*$/, '')
      .replace(/"[^"]*"/g, 'X')
      .trim()
      .split(/\s+/);
    const command =
      COMMANDS.find(({ name }) => name === bare.slice(0, 2).join(' ')) ?? COMMANDS.find(({ name }) => name === bare[0]);
    expect(command, line).toBeDefined();
    const options: Readonly<Record<string, OptionSpec>> = { ...GLOBAL_OPTIONS, ...command?.options };
    const shorts = Object.values(options).flatMap(({ short }) => (short === undefined ? [] : [`-${short}`]));
    const known = [...Object.keys(options).map((name) => `--${name}`), ...shorts, '-', '--'];
    for (const word of bare.filter((text) => text.startsWith('-'))) expect(known, line).toContain(word.split('=')[0]);
  });
});
