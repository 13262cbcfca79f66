import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { houseWith, lastRecord, tempFolder } from '../access/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { exec, INVENTORY } from './support.ts';

const route = (id: string, more: string): string => `  - id: ${id}
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: x, fields: [a] } }
    exec_capable: true
    inject: [{ field: a, env: ${id.toUpperCase()} }]
    actors: [agt-m1]
    ${more}
`;
const ROUTES = `version: 1
routes:
${route('strict', 'allow_confined_caller: false')}
${route('trusting', 'allow_confined_caller: true')}
${route('exempt', 'allow_confined_caller: true\n    commands: [{ path: /usr/bin/touch, argv: ["*"] }]')}
`;
/** Ways into a sandbox, as programs that start one. */
const SANDBOXES: readonly [name: string, through: readonly string[], what: RegExp][] = [
  [
    'bubblewrap',
    ['bwrap', '--dev-bind', '/', '/', '--unshare-pid', '--proc', '/proc', '--'],
    /caller_confined|caller_not_allowed/,
  ],
  ['another mount namespace', ['unshare', '--mount', '--'], /another mnt namespace/],
  ['another network namespace', ['unshare', '--net', '--'], /another net namespace/],
  ['no_new_privs', ['setpriv', '--no-new-privs', '--'], /no_new_privs/],
  ['fewer capabilities', ['setpriv', '--bounding-set=-net_raw', '--'], /fewer capabilities/],
];

const isRoot = process.getuid?.() === 0;
let daemon: RunningDaemon;
beforeAll(async () => {
  if (isRoot) daemon = await startDaemon({ house: houseWith({ inventory: INVENTORY, routes: ROUTES }) });
});
beforeEach(({ skip }) => {
  if (!isRoot) skip('only root may make these sandboxes everywhere');
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

describe.each(SANDBOXES)('a caller in %s', (_name, through, what) => {
  test('is refused, also where the route allows it without saying which commands; nothing is started', async () => {
    for (const id of ['strict', 'trusting']) {
      const marker = join(tempFolder(), 'started');
      const result = await exec(daemon, ['--route', id, '--', 'touch', marker], { through });
      expect(result.code).toBe(125);
      expect(result.stderr).toMatch(what);
      expect(existsSync(marker)).toBe(false);
      expect(lastRecord(daemon.house)).toMatchObject({ kind: 'exec_start', outcome: 'refused' });
    }
  });
});

describe('a route with commands that allows confined callers', () => {
  const through = ['setpriv', '--no-new-privs', '--'];

  test('runs one of these for them, and no other', async () => {
    const marker = join(tempFolder(), 'started');
    expect(await exec(daemon, ['--route', 'exempt', '--', 'touch', marker], { through })).toMatchObject({ code: 0 });
    expect(existsSync(marker)).toBe(true);
    expect(await exec(daemon, ['--route', 'exempt', '--', 'id'], { through })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('command_not_allowed'),
    });
  });

  test('exempts no other route beside it', async () => {
    const marker = join(tempFolder(), 'started');
    const args = ['--route', 'exempt', '--route', 'strict', '--', 'touch', marker];
    expect(await exec(daemon, args, { through })).toMatchObject({
      code: 125,
      stderr: expect.stringContaining('caller_confined'),
    });
    expect(existsSync(marker)).toBe(false);
  });
});
