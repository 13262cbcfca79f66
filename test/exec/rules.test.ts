import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commandEnvironment, isKeptBack, isReserved } from '../../src/access/command-environment.ts';
import { commandText, matchArguments, matchCommand } from '../../src/access/command-match.ts';
import { CommandSlots } from '../../src/access/command-slots.ts';
import { holdOf } from '../../src/access/command-start.ts';
import { planInjections, type Wanted } from '../../src/access/injection-plan.ts';
import type { Injection, Route } from '../../src/access/route.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { OutputRate } from '../../src/operations/output-rate.ts';

const word = fc.stringMatching(/^[a-z*-]{0,4}$/);
const literal = fc.stringMatching(/^[a-z-]{0,4}$/);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof WardenError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'no error';
};

describe('a list of commands', () => {
  test.each<[string, string[], string[], boolean]>([
    ['no pattern admits no arguments', [], [], true],
    ['and nothing else', [], ['x'], false],
    ['a literal element is itself', ['publish'], ['publish'], true],
    ['and no prefix of something', ['publish'], ['publish-all'], false],
    ['* is one argument', ['*'], ['anything'], true],
    ['an empty one too', ['*'], [''], true],
    ['not none', ['*'], [], false],
    ['not two', ['*'], ['a', 'b'], false],
    ['** at the end is the rest', ['publish', '**'], ['publish', '--tag', 'next'], true],
    ['none is a rest', ['publish', '**'], ['publish'], true],
    ['what stands before it must be there', ['publish', '**'], [], false],
    ['an argument that is a star is no pattern', ['publish'], ['*'], false],
  ])('%s', (_name, pattern, args, admitted) => {
    expect(matchArguments(pattern, args)).toBe(admitted);
  });

  test('literal arguments admit themselves and nothing else', () => {
    fc.assert(
      fc.property(fc.array(literal), fc.array(word), (pattern, args) => {
        expect(matchArguments(pattern, pattern)).toBe(true);
        if (matchArguments(pattern, args)) expect(args).toEqual(pattern);
      }),
    );
  });

  test('a rest admits whatever follows, and each star exactly one', () => {
    fc.assert(
      fc.property(fc.array(literal), fc.array(word), fc.array(word), (head, stars, rest) => {
        const pattern = [...head, ...stars.map(() => '*')];
        expect(matchArguments(pattern, [...head, ...stars])).toBe(true);
        expect(matchArguments(pattern, [...head, ...stars, 'more'])).toBe(false);
        expect(matchArguments([...pattern, '**'], [...head, ...stars, ...rest])).toBe(true);
        if (stars.length > 0) expect(matchArguments([...pattern, '**'], [...head, ...stars.slice(1)])).toBe(false);
      }),
    );
  });

  test('a refusal names the nearest that came of any entry', () => {
    const entry = { path: '/usr/bin/npm', argv: ['publish'], sha256: null };
    const pinned = { ...entry, sha256: 'aa' };
    const npm = { program: '/usr/bin/npm', args: ['publish'], sha256: 'bb' };
    expect(matchCommand([], npm)).toBe('other_program');
    expect(matchCommand([entry], { ...npm, program: '/tmp/npm' })).toBe('other_program');
    expect(matchCommand([entry], { ...npm, args: ['view'] })).toBe('other_arguments');
    expect(matchCommand([pinned], npm)).toBe('other_digest');
    expect(matchCommand([pinned], { ...npm, sha256: null })).toBe('other_digest');
    expect(matchCommand([pinned, entry], npm)).toBe('allowed');
    expect(matchCommand([pinned], { ...npm, sha256: 'aa' })).toBe('allowed');
  });

  test('is shown so that a person can tell its words apart', () => {
    expect(commandText({ path: '/bin/sh', argv: ['-c', 'echo "hi" $x', '**'], sha256: null })).toBe(
      '/bin/sh -c "echo \\"hi\\" $x" **',
    );
  });
});

describe("a command's environment", () => {
  const secret = Secret.fromString('value');
  const build = (more: Partial<Parameters<typeof commandEnvironment>[0]>) =>
    Object.fromEntries(
      commandEnvironment({ environment: [], additions: [], pristine: false, held: 'open', injected: [], ...more }),
    );

  test.each([
    ...[
      'BAO_TOKEN',
      'BAO_ADDR',
      'VAULT_TOKEN',
      'VAULT_',
      'WARDEN_SOCKET',
      'LD_PRELOAD',
      'LD_LIBRARY_PATH',
      'NODE_OPTIONS',
    ],
    ...['NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'CREDENTIALS_DIRECTORY'],
  ])('%s is kept back, with and without --pristine, and also where the caller adds it', (name) => {
    const one = [[name, 'x']] as const;
    expect(isKeptBack(name)).toBe(true);
    expect(isReserved(name)).toBe(true);
    for (const pristine of [false, true]) {
      expect(build({ environment: one, pristine })).toEqual({});
      expect(build({ additions: one, pristine })).toEqual({});
    }
  });

  test.each([
    'PATH',
    'BAO',
    'MY_BAO_TOKEN',
    'bao_token',
    'WARDENS',
    'LDFLAGS',
    'NODE_OPTIONS_',
    'LISTEN',
    'BASH_FUNC_x%%',
  ])('%s goes through', (name) => {
    expect(build({ environment: [[name, 'x']] })).toEqual({ [name]: 'x' });
  });

  test.each([
    ...['BASH_ENV', 'ENV', 'IFS', 'PS4', 'SHELLOPTS', 'BASH_FUNC_echo%%', 'CDPATH', 'PERL5OPT', 'PERL5LIB', 'PERLLIB'],
    ...[
      'PYTHONPATH',
      'PYTHONSTARTUP',
      'PYTHONHOME',
      'NODE_PATH',
      'RUBYOPT',
      'RUBYLIB',
      'JAVA_TOOL_OPTIONS',
      'CLASSPATH',
    ],
    ...[
      'GIT_SSH_COMMAND',
      'GIT_EXEC_PATH',
      'GIT_CONFIG_COUNT',
      'GIT_ASKPASS',
      'SSH_ASKPASS',
      'PAGER',
      'MANPAGER',
      'EDITOR',
    ],
    ...['npm_config_script_shell', 'NPM_CONFIG_USERCONFIG', 'LESSOPEN', 'OPENSSL_CONF', 'GCONV_PATH', 'TERMINFO'],
  ])('%s does not reach a listed command, but any that is not listed', (name) => {
    expect(build({ environment: [[name, 'x']], additions: [[name, 'y']], held: 'listed' })).toEqual({});
    expect(build({ environment: [[name, 'x']], held: 'open' })).toEqual({ [name]: 'x' });
  });

  test.each([
    'PATH',
    'SHELL',
    'GIT_AUTHOR_NAME',
    'PGHOST',
    'CI',
    'PYTHONUNBUFFERED',
    'HTTPS_PROXY',
    'NODE_ENV',
    'ENVIRONMENT',
  ])('%s reaches a listed command', (name) => {
    expect(build({ environment: [[name, 'x']], held: 'listed' })).toEqual({ [name]: 'x' });
  });

  test('a pristine route leaves its caller nothing that names a program or a host, and finds programs on a path of its own', () => {
    const names = ['HOME', 'USER', 'LOGNAME', 'TERM', 'LANG', 'LC_ALL', 'TZ'];
    const environment = [...names, 'PATH', 'SHELL', 'PGHOST', 'HTTPS_PROXY', 'CI'].map((name) => [name, name] as const);
    for (const pristine of [false, true]) {
      const built = build({
        environment,
        additions: [['PORT', '1']],
        injected: [['TOKEN', secret]],
        pristine,
        held: 'pristine',
      });
      const { PATH, ...rest } = built;
      expect(rest).toEqual({ ...Object.fromEntries(names.map((name) => [name, name])), TOKEN: secret });
      expect(PATH).toMatch(/^\/usr\/local\/sbin:/);
    }
  });

  test.each<[string, { commands: boolean; pristine: boolean }[], string]>([
    ['open where no route lists commands', [{ commands: false, pristine: false }], 'open'],
    [
      'listed where one does',
      [
        { commands: false, pristine: false },
        { commands: true, pristine: false },
      ],
      'listed',
    ],
    [
      'pristine where one says so',
      [
        { commands: true, pristine: false },
        { commands: false, pristine: true },
      ],
      'pristine',
    ],
  ])('is %s', (_name, routes, held) => {
    const planned = routes.map(({ commands, pristine }) => ({ route: { commands: commands ? [] : null, pristine } }));
    expect(holdOf(planned)).toBe(held);
  });

  test('--pristine keeps what a program needs to be somewhere, what was added, and what is injected', () => {
    const names = ['PATH', 'HOME', 'USER', 'LOGNAME', 'SHELL', 'TERM', 'LANG', 'LC_ALL', 'LC_TIME', 'TZ'];
    const environment = [...names, 'EDITOR', 'AWS_SECRET_ACCESS_KEY', 'PATHS', 'HOMER'].map(
      (name) => [name, name] as const,
    );
    expect(build({ environment, additions: [['PORT', '1']], injected: [['TOKEN', secret]], pristine: true })).toEqual({
      ...Object.fromEntries(names.map((name) => [name, name])),
      PORT: '1',
      TOKEN: secret,
    });
  });

  test('what is injected is what the command gets, whatever the caller has of that name; of a name twice, the first', () => {
    const environment = [
      ['TOKEN', 'old'],
      ['A', 'first'],
      ['A', 'second'],
    ] as const;
    expect(build({ environment, additions: [['TOKEN', 'added']], injected: [['TOKEN', secret]] })).toEqual({
      TOKEN: secret,
      A: 'first',
    });
  });

  test('no name of the kind that is kept back ever gets through', () => {
    const name = fc.oneof(
      fc.string(),
      fc.string().map((s) => `LD_${s}`),
      fc.string().map((s) => `WARDEN_${s}`),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), fc.boolean(), (environment, pristine) => {
        for (const kept of commandEnvironment({
          environment,
          additions: environment,
          pristine,
          held: 'open',
          injected: [],
        }).keys()) {
          expect(isKeptBack(kept)).toBe(false);
        }
      }),
    );
  });
});

const route = (id: string, inject: Injection[], more: Partial<Route> = {}): Route => ({
  id,
  title: '',
  owner: 'openbao',
  lane: 'openbao-kv',
  as: 'caller',
  secret: { requiredMaturity: 'M0', dataClass: 'synthetic' },
  location: { prod: { mount: 'm', path: 'p', fields: ['a', 'b'] } },
  tool: null,
  fetchCapable: false,
  execCapable: true,
  inject,
  actors: [],
  units: [],
  commands: null,
  allowAnyCommand: false,
  allowUnmasked: false,
  allowConfinedCaller: false,
  pristine: false,
  maxDurationMs: 1,
  ...more,
});
const env = (field: string, variable: string): Injection => ({ kind: 'env', field, variable });
const plan = (routes: Route[], more: Partial<Wanted> = {}) =>
  planInjections({ routes, whole: new Set(routes.map(({ id }) => id)), references: [], posture: 'prod', ...more });

describe('what reaches a command', () => {
  test('each field once, and each place that it goes to', () => {
    const two = route('r', [env('a', 'A'), { kind: 'file', field: 'a', variable: 'A_FILE' }, env('b', 'B')]);
    expect(plan([two])).toEqual([{ route: two, fields: ['a', 'b'], injections: two.inject }]);
  });

  test('a reference takes one field of a route, and nothing else that its inject says', () => {
    const one = route('r', [env('a', 'A'), env('b', 'B')]);
    const references = [{ variable: 'MINE', route: 'r', field: 'b' }];
    expect(plan([one], { whole: new Set(), references })).toEqual([
      { route: one, fields: ['b'], injections: [env('b', 'MINE')] },
    ]);
    expect(plan([one], { references })[0]?.injections).toEqual([...one.inject, env('b', 'MINE')]);
  });

  test('a reference without a field takes the only one', () => {
    const one = route('r', [], { location: { prod: { mount: 'm', path: 'p', fields: ['only'] } } });
    const references = [{ variable: 'X', route: 'r', field: '' }];
    expect(plan([one], { whole: new Set(), references })[0]?.fields).toEqual(['only']);
  });

  const stdin: Injection = { kind: 'stdin', field: 'a' };
  const fd: Injection = { kind: 'fd', field: 'a', descriptor: 3 };
  const file: Injection = { kind: 'file', field: 'a', variable: 'A' };
  const wish = (field: string, variable = 'X') => ({
    whole: new Set<string>(),
    references: [{ variable, route: 'r', field }],
  });
  test.each<[string, Route[], Partial<Wanted>, string]>([
    [
      'two routes for one variable',
      [route('r', [env('a', 'T')]), route('s', [env('a', 'T')])],
      {},
      'invalid_request: T would be filled by both r and s',
    ],
    [
      'a file and a value for one variable',
      [route('r', [env('a', 'A')]), route('s', [file])],
      {},
      'invalid_request: A would be filled by both r and s',
    ],
    [
      'two for stdin',
      [route('r', [stdin]), route('s', [stdin])],
      {},
      'invalid_request: stdin would be filled by both r and s',
    ],
    [
      'two for a descriptor',
      [route('r', [fd]), route('s', [fd])],
      {},
      'invalid_request: descriptor 3 would be filled by both r and s',
    ],
    [
      'a reference to a variable that is taken',
      [route('r', [env('a', 'X')])],
      { references: [{ variable: 'X', route: 'r', field: 'a' }] },
      'invalid_request: X would be filled by r twice',
    ],
    [
      'a route that injects nothing',
      [route('r', [])],
      {},
      'route_unusable: r does not say how its fields reach a command',
    ],
    [
      'a route for fetching alone',
      [route('r', [env('a', 'A')], { execCapable: false })],
      {},
      'route_unusable: no command may run with r',
    ],
    [
      'a route without a place here',
      [route('r', [env('a', 'A')])],
      { posture: 'test' },
      'route_unusable: the route r has no place in posture test',
    ],
    [
      'a field that is not there in this posture',
      [route('r', [env('c', 'A')])],
      {},
      'route_unusable: r has no field c in posture prod',
    ],
    [
      'a reference to no field of several',
      [route('r', [])],
      wish(''),
      'invalid_request: r has several fields, and X names none',
    ],
    ['a reference to a field that is not there', [route('r', [])], wish('c'), 'invalid_request: r has no field c'],
    [
      'a reference to what only comes as a file',
      [route('r', [file])],
      wish('a'),
      'route_unusable: r does not give a as a variable',
    ],
    [
      'a reference that would steer the loader',
      [route('r', [])],
      wish('a', 'LD_PRELOAD'),
      'invalid_request: LD_PRELOAD is not for secrets',
    ],
    [
      'a reference that would replace PATH',
      [route('r', [])],
      wish('a', 'PATH'),
      'invalid_request: PATH is not for secrets',
    ],
  ])('%s is refused', (_name, routes, more, error) => {
    expect(codeOf(() => plan(routes, more))).toBe(error);
  });
});

describe('slots for commands', () => {
  test('an eighth is out of reach of any single caller, and each refusal says which bound it met', () => {
    let most = 8;
    const slots = new CommandSlots(() => most);
    const held = Array.from({ length: 7 }, () => slots.take(1));
    expect(codeOf(() => slots.take(1))).toBe(
      'exec_limited: 7 commands of yours run already, as many as one caller may have',
    );
    const other = slots.take(2);
    expect(slots.running).toBe(8);
    expect(codeOf(() => slots.take(3))).toBe('exec_limited: 8 commands run already, as many as may in all');
    other();
    other();
    expect(slots.running).toBe(7);
    most = 16;
    slots.take(1);
    for (const leave of held) leave();
    expect(slots.running).toBe(1);
  });

  test('of one, the only caller gets it', () => {
    const slots = new CommandSlots(() => 1);
    slots.take(1)();
    slots.take(1);
    expect(codeOf(() => slots.take(1))).toContain('as many as may in all');
  });
});

describe('how fast a command may write', () => {
  test('a second’s worth at once, and beyond it no faster than the rate', () => {
    let now = 0;
    const rate = new OutputRate(1000, () => now);
    expect(rate.spend(1000)).toBe(0);
    expect(rate.spend(500)).toBe(500);
    now = 500;
    expect(rate.spend(0)).toBe(0);
    now = 10_000;
    expect(rate.spend(1000)).toBe(0);
    expect(rate.spend(1)).toBe(1);
  });
});
