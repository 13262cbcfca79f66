import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { publicHouse } from '../e2e/support.ts';
import { builtPrograms } from '../support/built.ts';
import type { CliResult } from '../support/cli.ts';
import { type House, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { houseWith, lastRecord } from './support.ts';

// Numbers that no account of a machine has.
const CALLER = 54_421;
const GROUP = 54_431;
const FIRST = 54_441;
const SECOND = 54_442;

const isRoot = process.getuid?.() === 0;
let programs: string;
let house: House;
let daemon: RunningDaemon;

beforeAll(async () => {
  if (!isRoot) return;
  // Where every user can run it, wherever this clone lies.
  programs = mkdtempSync(join(tmpdir(), 'warden-programs-'));
  chmodSync(programs, 0o755);
  const dist = dirname(builtPrograms().warden);
  for (const name of readdirSync(dist).filter((file) => file.endsWith('.cjs')))
    copyFileSync(join(dist, name), join(programs, name));
  house = houseWith({
    warden: `version: 1\nposture: dev\nsocket: { mode: "0660", group: ${GROUP} }\n`,
    inventory: `version: 1
actors:
  - { name: agt-hub, type: agt, principals: [p], maturity: M1, tenant: "tenant:hub", callers: [{ uid: ${CALLER} }] }
`,
    routes: `version: 1
routes:
  - id: who
    owner: another
    lane: tool
    tool: { argv: [sh, -c, 'id -u; id -g; id -G; grep -E "^(Cap(Inh|Prm|Eff|Amb)|Umask)" /proc/self/status; echo $0 $1 $2', "{actor}", "{tenant}", "a b"] }
    secret: { required_maturity: M0, data_class: synthetic }
    fetch_capable: true
    actors: [agt-hub]
`,
  });
  publicHouse(house);
  daemon = await startDaemon({ house });
});
beforeEach(({ skip }) => {
  if (!isRoot) skip('only root can play other users');
});
afterAll(async () => {
  await daemon?.stop();
  house?.remove();
  if (isRoot) rmSync(programs, { recursive: true, force: true });
});

function fetchAs(groups: readonly number[], route: string): Promise<CliResult> {
  const who = ['--reuid', String(CALLER), '--regid', String(GROUP)];
  const also = groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')];
  const args = [...who, ...also, '--', process.execPath, join(programs, 'warden.cjs'), 'fetch', route];
  return new Promise((resolve, reject) => {
    const child = spawn('setpriv', args, {
      cwd: '/',
      env: { PATH: '/usr/bin:/bin', WARDEN_SOCKET: house.socket, HOME: '/nonexistent' },
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('a daemon that runs as root starts a tool as its caller', () => {
  test.each([
    ['its groups and no others', [FIRST, SECOND]],
    ['no group but its own', []],
  ])('uid, gid, %s, no capability left', async (_what, groups) => {
    const result = await fetchAs(groups, 'who');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const [uid, gid, all, ...rest] = result.stdout.split('\n');
    expect([uid, gid]).toEqual([String(CALLER), String(GROUP)]);
    expect(new Set(all?.split(' '))).toEqual(new Set([GROUP, ...groups].map(String)));
    expect(rest.filter((line) => line.startsWith('Cap'))).toHaveLength(4);
    for (const line of rest.filter((one) => one.startsWith('Cap'))) expect(line).toMatch(/^Cap\w+:\s+0{16}$/);
    // Placeholders are whole elements, and what is in an element stays one.
    expect(rest.at(-1)).toBe('agt-hub tenant:hub a b');
    expect(lastRecord(house)).toMatchObject({
      kind: 'fetch',
      outcome: 'ok',
      actor: 'agt-hub',
      caller: { uid: CALLER },
    });
  });
});
