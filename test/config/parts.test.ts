import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsHold, recordingFacts } from '../../src/config/facts.ts';
import { isInterpreter } from '../../src/config/interpreters.ts';
import { editDistance, nearest } from '../../src/config/nearest.ts';
import { parseAccounts, systemFacts } from '../../src/config/system-facts.ts';
import { LineIndex } from '../../src/config/yaml/line-index.ts';
import { facts } from './support.ts';

describe('the nearest word', () => {
  test.each([
    ['enabeld', ['enabled', 'tenant'], 'enabled'],
    ['fail-closed', ['fail_closed', 'flex_auth_url'], 'fail_closed'],
    ['Principals', ['principals', 'principal_x'], 'principals'],
    ['zzzzzz', ['mode', 'group'], null],
    ['x', ['mode'], null],
    ['anything', [], null],
  ] as const)('of %s among %j is %s', (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected);
  });

  test('distance is symmetric, nothing for the same word, and one for a swap', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
    expect(editDistance('polcy', 'policy')).toBe(1);
    expect(editDistance('abdc', 'abcd')).toBe(1);
  });
});

test('offsets become lines and columns as counting breaks does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'ü', '\n', '\r', '\u{1f600}'), { maxLength: 40 }),
      fc.nat(60),
      (letters, at) => {
        const text = letters.join('');
        const offset = Math.min(at, text.length);
        const before = text.slice(0, offset).split('\n');
        expect(new LineIndex(text).at(offset)).toEqual({
          line: before.length,
          column: (before.at(-1)?.length ?? 0) + 1,
        });
      },
    ),
  );
});

test.each([
  ['/usr/bin/node', true],
  ['/usr/bin/python3.11', true],
  ['/bin/bash', true],
  ['/bin/dash', true],
  ['/usr/lib/jvm/java-17/bin/java', true],
  ['/lib64/ld-linux-x86-64.so.2', true],
  ['/usr/bin/perl', true],
  ['/usr/bin/ruby3.1', true],
  ['/usr/bin/git', false],
  ['/usr/bin/ssh', false],
  ['/opt/node/agent', false],
  ['/usr/bin/nodetool', false],
])('%s is an interpreter: %s', (path, expected) => {
  expect(isInterpreter(path)).toBe(expected);
});

describe('facts about the machine', () => {
  test('account files are read line by line; the first of a name counts, broken lines do not', () => {
    expect([
      ...parseAccounts(
        'root:x:0:0:root:/root:/bin/sh\n\n# no\nhub:x:1001:1001::/:/bin/sh\nhub:x:7:7::/:/\nbad:x:minus:1\n+nis::::\n',
      ),
    ]).toEqual([
      ['root', 0],
      ['hub', 1001],
    ]);
  });

  test('root is uid and gid 0, an unknown name is null, a number is no name', () => {
    const machine = systemFacts();
    expect([machine.uid('root'), machine.gid('root'), machine.uid('no-such-user-here'), machine.gid('0')]).toEqual([
      0,
      0,
      null,
      null,
    ]);
    expect(machine.realPath('/proc/self/exe')).toBe(machine.realPath(process.execPath));
    expect(machine.realPath('/nonexistent')).toBeNull();
  });

  test('what getent knows is what is said', () => {
    const users = spawnSync('getent', ['passwd'], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => line !== '');
    const machine = systemFacts();
    expect(users.length).toBeGreaterThan(0);
    for (const line of users) {
      const [name = '', , uid] = line.split(':');
      expect([name, machine.uid(name)]).toEqual([name, Number(uid)]);
    }
  });

  test('each question is asked once, recorded, and asked again to see whether it holds', () => {
    let asked = 0;
    const counting = {
      ...facts,
      uid: (name: string): number | null => {
        asked += 1;
        return facts.uid(name);
      },
    };
    const recording = recordingFacts(counting);
    for (let round = 0; round < 3; round += 1) {
      recording.facts.uid('hub');
      recording.facts.uid('nobody-here');
    }
    recording.facts.realPath('/usr/bin/git');
    expect(asked).toBe(2);
    expect(recording.record()).toEqual([
      ['uid', 'hub', 1001],
      ['uid', 'nobody-here', null],
      ['realPath', '/usr/bin/git', '/usr/bin/git'],
    ]);
    expect(factsHold(recording.record(), facts)).toBe(true);
    expect(factsHold(recording.record(), { ...facts, uid: () => 5 })).toBe(false);
  });
});
