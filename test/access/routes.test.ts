import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldsOf, locationFor, type Route } from '../../src/access/route.ts';
import { routeChanges } from '../../src/config/diff-routes.ts';
import { parseRoutes } from '../../src/config/parse-routes.ts';
import type { ParsedRoutes } from '../../src/config/parser.ts';
import type { EnvPosture } from '../../src/kernel/posture.ts';
import { ROUTES } from './support.ts';

const parse = (text: string | Uint8Array, posture: EnvPosture | null = 'test'): ParsedRoutes =>
  parseRoutes(
    { file: 'routes.yaml', bytes: typeof text === 'string' ? new TextEncoder().encode(text) : text },
    { posture },
  );
const seen = ({ problems }: ParsedRoutes): string[] =>
  problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);

/** One route in one line each, so that places are easy to tell. */
const one = (fields: string): string => `version: 1
routes:
  - id: r
    owner: openbao
    ${fields.split('\n').join('\n    ')}
`;
const KV =
  'lane: openbao-kv\nsecret: { required_maturity: M1, data_class: internal }\nactors: [agt-a]\nfetch_capable: true\n';
const PLACE = 'location: { prod: { mount: m, path: a/b, fields: [token] } }';
const TOOL =
  'lane: tool\nsecret: { required_maturity: M1, data_class: internal }\nactors: [agt-a]\nfetch_capable: true\n';

describe('routes.yaml is read', () => {
  test('as the contract writes it', () => {
    const contract = `version: 1
routes:
  - id: npm-publish
    title: npm token of the release pipeline
    owner: openbao
    lane: openbao-kv
    as: caller
    secret: { required_maturity: M1, data_class: internal }
    location:
      prod: { mount: platform, path: workloads/ci/npm, fields: [token] }
      test: { mount: platform-test, path: workloads/ci/npm, fields: [token] }
    fetch_capable: true
    exec_capable: true
    inject: [{ field: token, env: NODE_AUTH_TOKEN }]
    actors: [agt-release, adm-example]
    commands: [{ path: /usr/bin/npm, argv: [publish, "**"], sha256: null }]
    allow_unmasked: false
    allow_confined_caller: false
    pristine: true
    max_duration: 30m
  - { id: kc-login, title: key-cape login, owner: key-cape, lane: tool, tool: { argv: [key-cape, login, --json], output: { format: json, field: id_token } }, secret: { required_maturity: M0, data_class: internal }, fetch_capable: true, actors: [agt-release] }
`;
    const { routes, actors, problems, warnings } = parse(contract, 'prod');
    expect(problems).toEqual([]);
    expect(warnings).toEqual([]);
    expect(routes[0]).toEqual({
      id: 'npm-publish',
      title: 'npm token of the release pipeline',
      owner: 'openbao',
      lane: 'openbao-kv',
      as: 'caller',
      secret: { requiredMaturity: 'M1', dataClass: 'internal' },
      location: {
        prod: { mount: 'platform', path: 'workloads/ci/npm', fields: ['token'] },
        test: { mount: 'platform-test', path: 'workloads/ci/npm', fields: ['token'] },
      },
      tool: null,
      fetchCapable: true,
      execCapable: true,
      inject: [{ kind: 'env', field: 'token', variable: 'NODE_AUTH_TOKEN' }],
      actors: ['agt-release', 'adm-example'],
      commands: [{ path: '/usr/bin/npm', argv: ['publish', '**'], sha256: null }],
      allowAnyCommand: false,
      allowUnmasked: false,
      allowConfinedCaller: false,
      pristine: true,
      units: [],
      maxDurationMs: 1_800_000,
    });
    expect(actors).toEqual([
      { actor: 'agt-release', place: 'routes.yaml:15:14' },
      { actor: 'adm-example', place: 'routes.yaml:15:27' },
    ]);
  });

  test('in dev at the names of prod, elsewhere at their own alone', () => {
    const [route] = parse(ROUTES).routes as [Route];
    expect(locationFor(route, 'dev')).toBe(route.location.prod);
    expect(locationFor(route, 'test')?.mount).toBe('platform-test');
    expect(locationFor({ ...route, location: { prod: route.location.prod } } as Route, 'test')).toBeNull();
    expect(fieldsOf(route, 'prod')).toEqual(['token']);
  });

  test.each([
    [
      'an unknown key',
      `${KV}${PLACE}\nfetchcapable: true`,
      'routes.yaml:10:5: unknown key `fetchcapable`; the nearest known key is `fetch_capable`',
    ],
    ['a lane without a place', KV, 'routes.yaml:3:5: the lane `openbao-kv` needs a `location`'],
    [
      'a tool where none runs',
      `${KV}${PLACE}\ntool: { argv: [x] }`,
      'routes.yaml:10:11: the lane `openbao-kv` runs no tool',
    ],
    ['a tool lane without a tool', TOOL, 'routes.yaml:3:5: the lane `tool` needs `tool:`'],
    [
      'a tool as the daemon',
      `${TOOL}tool: { argv: [x] }\nas: daemon`,
      "routes.yaml:10:9: a tool runs as the caller, never with the daemon's authority",
    ],
    [
      'a placeholder for a program',
      `${TOOL}tool: { argv: ["{actor}"] }`,
      'routes.yaml:9:20: the first element is the program',
    ],
    [
      'a placeholder inside an element',
      `${TOOL}tool: { argv: [x, "--for={actor}"] }`,
      'routes.yaml:9:23: a placeholder stands for a whole element',
    ],
    [
      'a relative program',
      `${TOOL}tool: { argv: [./x] }`,
      'routes.yaml:9:20: a relative path would run what lies in the folder of the caller',
    ],
    [
      'a path that climbs',
      `${KV}location: { prod: { mount: m, path: a/../b, fields: [t] } }`,
      'routes.yaml:9:41: `path`: not a path in a store',
    ],
    [
      'no fields',
      `${KV}location: { prod: { mount: m, path: a, fields: [] } }`,
      'routes.yaml:9:52: `fields`: a location without fields gives nothing',
    ],
    [
      'two ways of injection',
      `${KV}${PLACE}\ninject: [{ field: token, env: A, stdin: true }]`,
      'routes.yaml:10:14: a field is injected in exactly one way',
    ],
    [
      'a field that the route does not have',
      `${KV}${PLACE}\ninject: [{ field: other, env: A }]`,
      'routes.yaml:10:23: the route has no such field',
    ],
    [
      'a variable given twice',
      `${KV}${PLACE}\ninject: [{ field: token, env: A }, { field: token, file: A }]`,
      'routes.yaml:10:40: `A` is given twice',
    ],
    [
      'a variable of the loader',
      `${KV}${PLACE}\ninject: [{ field: token, env: LD_PRELOAD }]`,
      'routes.yaml:10:35: `LD_PRELOAD` is not for secrets',
    ],
    [
      '`**` in the middle',
      `${KV}${PLACE}\ncommands: [{ path: /bin/x, argv: ["**", a] }]`,
      'routes.yaml:10:39: `**` stands for the rest',
    ],
  ])('%s is a problem with its place', (_what, fields, problem) => {
    expect(seen(parse(one(fields)))).toEqual([problem]);
    expect(parse(one(fields)).routes).toEqual([]);
  });

  test('the same id twice is a problem', () => {
    const text = `${one(`${KV}${PLACE}`)}${one(`${KV}${PLACE}`).split('\n').slice(2).join('\n')}`;
    expect(seen(parse(text))).toEqual(['routes.yaml:10:9: the route `r` stands twice']);
  });

  test('in prod a route for agents says which commands may run, or that any may', () => {
    const exec = `${KV}${PLACE}\nexec_capable: true`;
    expect(seen(parse(one(exec), 'prod'))).toEqual([
      'routes.yaml:3:5: in prod a route for agt or atm actors says which commands may run with it',
    ]);
    for (const [text, posture] of [
      [exec, 'test'],
      [`${exec}\nallow_any_command: true`, 'prod'],
      [`${exec}\ncommands: []`, 'prod'],
      [exec.replace('agt-a', 'adm-a'), 'prod'],
    ] as const) {
      expect(seen(parse(one(text), posture))).toEqual([]);
    }
  });
});

describe('a catalogue that holds a value is refused, and the value is not repeated', () => {
  const HEX = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';
  test.each([
    ['in a title', `${KV}${PLACE}\ntitle: npm_AbCdEf0123456789AbCdEf0123456789ab`],
    ['in a comment', `${KV}${PLACE}  # hvs.CAESIJ0123456789abcdef`],
    ['as a path', `${KV}location: { prod: { mount: m, path: ${HEX}, fields: [t] } }`],
    ['under a key of its own', `${KV}${PLACE}\npassword: hunter2`],
    ['in an argv', `${TOOL}tool: { argv: [x, ghp_0123456789abcdefghij0123456789abcdef] }`],
    ['where only escapes hide it', `${KV}${PLACE}\ntitle: "hv\\x73.CAESIJ0123456789abcdef"`],
    ['in a digest of the wrong key', `${KV}${PLACE}\ntitle: ${HEX}`],
  ])('%s', (_what, fields) => {
    const parsed = parse(one(fields));
    expect(parsed.routes).toEqual([]);
    expect(parsed.problems.length).toBeGreaterThan(0);
    for (const { line, message, hint } of parsed.problems) {
      expect(line).toBeGreaterThan(0);
      expect(message).toMatch(/^this looks like .*: a route holds names, never values$/);
      for (const part of ['npm_', 'CAESIJ', '9f86d0', 'hunter2', 'ghp_'])
        expect(`${message}${hint}`).not.toContain(part);
    }
  });

  test.each([
    ['/nix/store/0c5qmjmhxk4z8d7Vf2RwQ1pLs9aYt3Gb-npm-10/bin/npm', []],
    ['"/tmp/wr-HeI27X/warden-pinned-uOMTK4/tool"', []],
    ['/home/x/ghp_0123456789abcdefghij0123456789abcdef', ["a service's token"]],
  ])('the path of a command is none for a random folder in it, and is by its shape: %s', (path, kinds) => {
    const { problems } = parse(one(`${KV}${PLACE}\ncommands: [{ path: ${path} }]`));
    expect(problems.map(({ message }) => message)).toEqual(
      kinds.map((kind) => `this looks like ${kind}: a route holds names, never values`),
    );
  });

  test('the digest of a command is none', () => {
    expect(seen(parse(one(`${KV}${PLACE}\ncommands: [{ path: /bin/x, sha256: ${HEX} }]`)))).toEqual([]);
    expect(
      parse(one(`${KV}${PLACE}\ncommands: [{ path: /bin/x, sha256: ${HEX.toUpperCase()} }]`)).routes[0]?.commands?.[0]
        ?.sha256,
    ).toBe(HEX);
  });

  test('whatever the bytes: no exception, problems or routes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.string({ maxLength: 200 }).map((text) => new TextEncoder().encode(ROUTES + text)),
        ),
        (bytes) => {
          const { routes, problems } = parse(bytes);
          expect(problems.length === 0 || routes.length === 0).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('a reload says in words who gained and who lost a route', () => {
  const changes = (before: string, after: string): readonly string[] => {
    const map = (text: string) => new Map(parse(text).routes.map((route) => [route.id, route]));
    return routeChanges(map(before), map(after));
  };
  const base = one(`${KV}${PLACE}`);
  test.each([
    ['an actor more', base.replace('[agt-a]', '[agt-a, agt-b]'), ['route r: gained actor agt-b']],
    ['another class', base.replace('internal', 'restricted'), ['route r: data class internal → restricted']],
    [
      'another place',
      base.replace('path: a/b', 'path: a/c'),
      ['route r: place in prod m/data/a/b (token) → m/data/a/c (token)'],
    ],
    [
      'fetch off',
      base.replace('fetch_capable: true', 'exec_capable: true'),
      ['route r: fetch on → off', 'route r: exec off → on'],
    ],
    [
      'an injection',
      `${base}    inject: [{ field: token, stdin: true }]\n`,
      ['route r: how its fields reach a command changed'],
    ],
    ['the route gone', 'version: 1\n', ['route r: removed']],
    ['the same in another spelling', base.replace('[agt-a]', '["agt-a"]'), []],
  ])('%s', (_what, after, lines) => {
    expect(changes(base, after)).toEqual(lines);
  });
  test('a new one', () => expect(changes('version: 1\n', base)).toEqual(['route r: added for agt-a']));
});
