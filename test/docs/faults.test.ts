import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}docs/faults.md`, 'utf8');
const shown = [...page.matchAll(/\| `(test\/\S+\.test\.ts)(?: -t "([^"]+)")?` \|$/gm)].map(
  ([, file = '', name = '']) => [file, name] as const,
);

test('every row of docs/faults.md names the test that shows it', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && !/^\| (Fault|---)/.test(line));
  expect(rows.length).toBeGreaterThan(20);
  expect(shown).toHaveLength(rows.length);
});

test.each(shown)('%s has a test %j', (file, name) => {
  expect(existsSync(`${root}${file}`)).toBe(true);
  expect(readFileSync(`${root}${file}`, 'utf8')).toContain(name);
});
