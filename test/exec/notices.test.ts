import { expect, test } from 'vitest';
import { execNotices } from '../../daemon/exec-notices.ts';
import { parseRoutes } from '../../src/config/parse-routes.ts';
import type { EnvPosture } from '../../src/kernel/posture.ts';
import { goodSettings, inventoryOf } from '../config/support.ts';

const INVENTORY = `version: 1
actors:
  - { name: agt-a, type: agt, principals: [p], callers: [{ uid: 1000 }] }
  - { name: adm-a, type: adm, principals: [p], callers: [{ uid: 1000 }] }
`;
const LISTED = 'commands: [{ path: /usr/bin/npm }]';
const steered = (posture: string): string =>
  `${posture}: listed commands find what they start by name on the caller's PATH with r: no pristine`;
const ANY = 'prod: any command may run with r: allow_any_command';

test.each<[string, EnvPosture, string, string, string[]]>([
  ['a list for an agent, in dev', 'dev', LISTED, 'agt-a', []],
  ['a list for an agent, in test', 'test', LISTED, 'agt-a', [steered('test')]],
  ['a list for an agent, in prod', 'prod', LISTED, 'agt-a', [steered('prod')]],
  ['a list for an agent among others', 'prod', LISTED, 'adm-a, agt-a', [steered('prod')]],
  ['a list for an administrator', 'prod', LISTED, 'adm-a', []],
  ['a list with the PATH of the system', 'prod', `${LISTED}, pristine: true`, 'agt-a', []],
  ['any command, in prod', 'prod', 'allow_any_command: true', 'agt-a', [ANY]],
  ['any command, in test', 'test', 'allow_any_command: true', 'agt-a', []],
])('status says what it leaves open of %s', (_name, posture, more, actors, expected) => {
  const text = `version: 1
routes:
  - { id: r, owner: openbao, lane: openbao-kv, secret: { required_maturity: M0, data_class: internal }, location: { ${posture === 'test' ? 'test' : 'prod'}: { mount: m, path: p, fields: [f] } }, exec_capable: true, inject: [{ field: f, env: F }], actors: [${actors}], ${more} }
`;
  const parsed = parseRoutes({ file: 'routes.yaml', bytes: new TextEncoder().encode(text) }, { posture });
  expect(parsed.problems).toEqual([]);
  const settings = goodSettings(
    `version: 1\nposture: ${posture}\nadmins: [{ uid: 0 }]\npolicy: { enabled: true, gate: [sign, exec] }\n`,
  );
  const named = new Map(inventoryOf(INVENTORY).actors.map((actor) => [actor.name, actor]));
  const routes = new Map(parsed.routes.map((route) => [route.id, route]));
  expect(execNotices({ settings, routes, actors: named })).toEqual(expected);
});
