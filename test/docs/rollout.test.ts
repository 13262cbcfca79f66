import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AnyonesPrograms, anyonesPrograms } from '../support/anyones-programs.ts';
import { shownCommands } from './console.ts';
import { follow } from './follow.ts';
import { Reader } from './reader.ts';

const FILE = 'docs/rollout.md';
const text = readFileSync(new URL(`../../${FILE}`, import.meta.url), 'utf8');

test('the page has the nine steps of the operator checklist, each with a section', () => {
  const rows = [...text.matchAll(/^\| (\d) \| [\w-]+ \| \[.*\]\(#([\w-]+)\) \| .+ \|$/gm)];
  expect(rows.map(([, step]) => step)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
  const anchors = [...text.matchAll(/^##+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, , anchor] of rows) expect(anchors).toContain(anchor);
});

describe.runIf(process.getuid?.() === 0)('an operator who follows the page (needs root, to make a user)', () => {
  let programs: AnyonesPrograms;
  let operator: Reader;
  beforeAll(() => {
    programs = anyonesPrograms();
    operator = new Reader();
  });
  afterAll(async () => {
    await operator?.leave();
    programs?.remove();
  });

  test('sees what it shows, from the registry to the gate turned off again', { timeout: 180_000 }, async () => {
    const shell = operator.shell(programs.bin);
    const set = async (command: string) => expect(await shell.run(command)).toMatchObject({ code: 0 });
    await set('warden init --posture test');
    await set("mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519");
    await set('wardend 2> wardend.log &');
    await set('until warden status > /dev/null 2>&1; do sleep 0.1; done');
    // The page's port may be taken here.
    const address = `127.0.0.1:${await freePort()}`;
    await follow(shell, shownCommands(text), {
      file: FILE,
      replace: (shown) => shown.replaceAll('127.0.0.1:18090', address),
      // A person sits at a terminal.
      typed: (command) =>
        command.startsWith('warden break-glass') ? `script -qec '${command}' /dev/null | tr -d '\\r'` : command,
    });
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
