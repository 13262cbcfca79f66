import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePeerName } from '../../daemon/credentials.ts';
import { parseRoutes } from '../../src/config/parse-routes.ts';
import { formatProblem } from '../../src/config/problems.ts';

const route = (more: string, id = 'app-db'): string => `  - id: ${id}
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M1, data_class: internal }
    location: { prod: { mount: app, path: db, fields: [user, password] } }
    fetch_capable: true
    actors: [atm-app]
    ${more}
`;
const UNIT = 'units: [{ unit: app.service, name: db-password, actor: atm-app, field: password }]';

function problems(...routes: readonly string[]): string[] {
  const bytes = Buffer.from(`version: 1\nroutes:\n${routes.join('')}`);
  const parsed = parseRoutes({ file: 'routes.yaml', bytes }, { posture: 'prod' });
  return parsed.problems.map(formatProblem);
}

describe('units: of a route', () => {
  test('name a unit, its credential, the actor that it is, and the field', () => {
    expect(problems(route(UNIT))).toEqual([]);
  });

  test.each([
    ['an actor that may not ask', route(UNIT.replace('atm-app', 'atm-other')), '`atm-other` may not ask for app-db'],
    ['no field where there are several', route(UNIT.replace(', field: password', '')), 'the route has several fields'],
    ['a field that is not there', route(UNIT.replace('field: password', 'field: pin')), 'the route has no such field'],
    ['the token of a caller', route(UNIT).replace('as: daemon', 'as: caller'), 'systemd has no token of the owner'],
    [
      'a value that the route does not give',
      route(UNIT).replace('fetch_capable: true', 'fetch_capable: false'),
      'a credential is the value itself',
    ],
    ['a template', route(UNIT.replace('app.service', 'app@.service')), 'the name of a template, which never runs'],
    ['a name that is none', route(UNIT.replace('db-password', '../x')), 'not the name of a credential'],
    [
      'the same credential in two routes',
      route(UNIT) + route(UNIT, 'other-db'),
      'the credential `db-password` of app.service is a value of `app-db` already',
    ],
  ])('are refused with %s', (_name, text, says) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(says);
  });
});

describe('the name that systemd binds its end to', () => {
  test.each([
    ['d4e31b4a2ba9cb91/unit/app.service/db-password', { unit: 'app.service', name: 'db-password' }],
    ['1/unit/worker@a\\x2db.service/x.y', { unit: 'worker@a\\x2db.service', name: 'x.y' }],
    [null, null],
    ['', null],
    ['/unit/app.service/x', null],
    ['1/unit/app.service/', null],
    ['1/unit/app.service/x/y', null],
    ['1/unit/a b.service/x', null],
    ['1/unit/app.service/x\0', null],
    ['1/user/app.service/x', null],
  ])('%j asks for %j', (name, expected) => {
    expect(parsePeerName(name)).toEqual(expected);
  });

  test('whatever it is, what is read from it is in it, whole', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.string({ maxLength: 60 }), (unit, name) => {
        const asked = parsePeerName(`0123456789abcdef/unit/${unit}/${name}`);
        return asked === null || (asked.unit === unit && asked.name === name);
      }),
    );
  });
});
