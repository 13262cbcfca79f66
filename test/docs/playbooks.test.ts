import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AnyonesPrograms, anyonesPrograms } from '../support/anyones-programs.ts';
import { type ShownCommand, shownCommands } from './console.ts';
import { follow } from './follow.ts';
import { Reader } from './reader.ts';
import type { Shell } from './shell.ts';

const AGENT = '  - { name: agt-deploy, type: agt, principals: [deploy], ttl_hours: 1, callers: [{ uid: $(id -u) }] }';

function pageOf(name: string): { file: string; text: string; commands: ShownCommand[] } {
  const file = `docs/playbooks/${name}.md`;
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  return { file, text, commands: shownCommands(text) };
}

/** Commands of a section, by the line that it begins at. */
function from(page: { text: string; commands: ShownCommand[] }, heading: string): number {
  const at = page.text.split('\n').indexOf(heading) + 1;
  expect(at, heading).toBeGreaterThan(0);
  return at;
}

describe.runIf(process.getuid?.() === 0)('an operator in trouble (needs root, to make a user)', () => {
  let programs: AnyonesPrograms;
  const readers: Reader[] = [];
  beforeAll(() => {
    programs = anyonesPrograms();
  });
  afterAll(async () => {
    for (const reader of readers) await reader.leave();
    programs?.remove();
  });

  /** Someone with a daemon that runs, a key, and a certificate or two. */
  async function operator(...more: string[]): Promise<Shell> {
    const reader = new Reader();
    readers.push(reader);
    const shell = reader.shell(programs.bin);
    for (const command of [
      'warden init --posture test',
      `cat >> ~/.config/warden/inventory.yaml <<END\n${AGENT}\nEND`,
      "mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519",
      'wardend 2> wardend.log & DAEMON=$!',
      'until warden status > /dev/null 2>&1; do sleep 0.1; done',
      ...more,
    ]) {
      expect({ command, ...(await shell.run(command)) }).toMatchObject({ code: 0 });
    }
    return shell;
  }

  test('whose CA key is in other hands', { timeout: 120_000 }, async () => {
    const page = pageOf('ca-key-lost');
    const shell = await operator('warden sign adm-ada --out before-cert.pub');
    const lost = from(page, '## Lost');
    await follow(
      shell,
      page.commands.filter(({ line }) => line < lost),
      page,
    );
  });

  test('whose CA key is lost', { timeout: 120_000 }, async () => {
    const page = pageOf('ca-key-lost');
    const shell = await operator('rm ~/.config/warden/ca_ed25519');
    const lost = from(page, '## Lost');
    await follow(
      shell,
      page.commands.filter(({ line }) => line > lost),
      page,
    );
  });

  test('whose agent is compromised', { timeout: 120_000 }, async () => {
    const page = pageOf('agent-compromised');
    await follow(await operator('warden issue agt-deploy --out deploy'), page.commands, page);
  });

  test('whose ledger is broken', { timeout: 120_000 }, async () => {
    const page = pageOf('ledger-broken');
    const shell = await operator(
      'warden sign adm-ada --out a-cert.pub && warden sign adm-ada --out b-cert.pub',
      'kill -9 $DAEMON; wait $DAEMON; true',
      "sed -i '$d' ~/.local/state/warden/signatures.log",
    );
    await follow(shell, page.commands, page);
  });
});
