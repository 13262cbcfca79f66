import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { houseWith, lastRecord, ROUTES, tempFolder } from './support.ts';

const WARDEN = 'version: 1\nposture: dev\npolicy: { enabled: true, gate: [sign, fetch] }\n';

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ house: houseWith({ warden: WARDEN }) });
});
afterAll(async () => {
  await daemon?.stop();
  daemon?.house.remove();
});

const run = (args: string, env: Readonly<Record<string, string>> = {}) =>
  warden(args.split(' '), { env: { WARDEN_SOCKET: daemon.socket, ...env } });

describe('$ warden fetch, in dev with policy.gate: [sign, fetch]', () => {
  test('the synthetic decision point knows the routes, and its decision is in the record', async () => {
    const result = await run('fetch npm-publish --actor agt-m1');
    expect(result).toMatchObject({ code: 0, stderr: '', stdout: expect.stringMatching(/^synthetic-[0-9a-f]{24}$/) });
    expect(lastRecord(daemon.house)).toMatchObject({
      kind: 'fetch',
      outcome: 'ok',
      actor: 'agt-m1',
      route: 'npm-publish',
      policy_effect: 'allow',
      policy_reason: 'secret_route_matched',
      policy_decision_id: expect.stringMatching(/^synthetic-decision:[0-9a-f]{16}$/),
    });
  });

  test('another subject that the actor allows is admitted too', async () => {
    const result = await run('fetch npm-publish --actor agt-m1', { WARDEN_POLICY_SUBJECT: 'iam:agt-m1' });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(lastRecord(daemon.house)).toMatchObject({ subject: 'iam:agt-m1', policy_reason: 'secret_route_matched' });
  });

  test('a route that a reload brings is known without a hand-over', async () => {
    const added = ROUTES.split('  - id: npm-publish\n').join('  - id: npm-later\n');
    writeFileSync(join(daemon.house.config, 'routes.yaml'), added);
    expect(await run('reload')).toMatchObject({ code: 0 });
    expect(await run('fetch npm-later --actor agt-m1')).toMatchObject({ code: 0, stderr: '' });
    expect(lastRecord(daemon.house)).toMatchObject({ route: 'npm-later', policy_reason: 'secret_route_matched' });
  });
});

describe('$ warden registry build --routes', () => {
  const files = () => {
    const house = houseWith({ warden: WARDEN });
    const at = (args: string) => warden([...args.split(' '), '--config', house.config], { cwd: tempFolder() });
    return { house, at };
  };

  test('adds the routes, and check then has nothing to say', async () => {
    const { house, at } = files();
    try {
      const file = join(tempFolder(), 'registry.json');
      expect(await at(`registry build --routes --out ${file}`)).toMatchObject({
        code: 0,
        stderr: '',
        stdout: expect.stringMatching(/: 4 actors, 8 subjects, 6 routes; now give it to flex-auth\n$/),
      });
      expect(await at(`registry check ${file}`)).toMatchObject({ code: 0, stdout: 'conforms\n' });
      const printed = JSON.parse((await at('registry build --routes')).stdout);
      expect(printed.resources.map(({ id }: { id: string }) => id)).toEqual([
        ...['exec-only', 'kc-login', 'npm-by-tool', 'npm-publish', 'of-another', 'registry-login'].map(
          (id) => `secret-route:${id}`,
        ),
        ...['agt-foreign', 'agt-m0', 'agt-m1', 'agt-m3'].map((actor) => `ssh-cert:actor/${actor}`),
      ]);
    } finally {
      house.remove();
    }
  });

  test('without them, check names each route that the gate will be asked about', async () => {
    const { house, at } = files();
    try {
      const file = join(tempFolder(), 'registry.json');
      await at(`registry build --out ${file}`);
      const behind = await at(`registry check ${file}`);
      expect(behind.code).toBe(1);
      expect(behind.stdout).toContain('route npm-publish is in the catalogue and not in the registry');
      expect(behind.stdout).toContain('warden registry build --routes');
      writeFileSync(join(house.config, 'warden.yaml'), 'version: 1\nposture: dev\n');
      expect(await at(`registry check ${file}`)).toMatchObject({ code: 0, stdout: 'conforms\n' });
    } finally {
      house.remove();
    }
  });
});
