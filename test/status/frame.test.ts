import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changesBetween } from '../../client/status/changes.ts';
import { frame } from '../../client/status/frame.ts';
import { StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';

const STATUS = StatusResponse.fromPartial({
  version: '1.2.3',
  posture: 'prod',
  mode: 'system',
  pid: 7,
  backend: 'local',
  snapshot: { generation: 3n, hash: 'a'.repeat(64), actors: 2 },
  ledger: { seq: 9n, writable: true },
  dependencies: [
    { name: 'ca', state: 'serving', detail: 'local' },
    { name: 'policy', state: 'serving', detail: 'flex-auth' },
  ],
  policy: { enabled: true, breaker: 'closed' },
});
const VIEW = { status: STATUS, seenAt: 0, now: 0, lost: null, news: [] };

function text(lines: ReturnType<typeof frame>): string[] {
  return lines.map((line) => line.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join(''));
}

describe('one screen of the live view', () => {
  test('never has more rows than the window, nor a wider one, whatever a notice says', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 300 }), { maxLength: 30 }),
        fc.integer({ min: 8, max: 200 }),
        fc.integer({ min: 1, max: 60 }),
        (notices, columns, rows) => {
          const lines = text(frame({ ...VIEW, status: { ...STATUS, notices } }, { columns, rows }));
          expect(lines.length).toBeLessThanOrEqual(rows);
          for (const line of lines) {
            // biome-ignore lint/suspicious/noControlCharactersInRegex: none may get through
            expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
            if (!line.startsWith('… ')) expect([...line.replace(/\p{M}/gu, '')].length).toBeLessThanOrEqual(columns);
          }
        },
      ),
    );
  });

  test('loses no word where a line is broken', () => {
    const notice = 'one two three four five six seven eight nine ten eleven twelve';
    const lines = text(frame({ ...VIEW, status: { ...STATUS, notices: [notice] } }, { columns: 24, rows: 100 }));
    expect(lines.join(' ').replace(/ +/g, ' ')).toContain(notice);
  });
});

describe('what changed, in words', () => {
  test.each<[string, Partial<StatusResponse>, string[]]>([
    ['nothing', {}, []],
    ['work alone', { certificatesIssued: 4n, refusals: 2n, connections: 8 }, []],
    ['a restart', { pid: 8 }, ['it was started again: pid 7 → 8']],
    ['an upgrade', { version: '1.3.0' }, ['version 1.2.3 → 1.3.0']],
    [
      'a dependency that is down',
      {
        dependencies: [
          { name: 'ca', state: 'serving', detail: 'local', hint: '' },
          { name: 'policy', state: 'not_serving', detail: 'nobody answers', hint: '' },
        ],
      },
      ['policy serving → not serving: nobody answers'],
    ],
    ['a notice', { notices: ['break-glass is open'] }, ['note: break-glass is open']],
  ])('%s', (_what, now, expected) => {
    expect(changesBetween(STATUS, { ...STATUS, ...now })).toEqual(expected);
  });

  test('a reload, with who gained what, and a breaker that opens', () => {
    const now = StatusResponse.fromPartial({
      ...STATUS,
      snapshot: { ...STATUS.snapshot, generation: 4n, changes: ['agt-x gained root'] },
      policy: { ...STATUS.policy, breaker: 'half_open' },
    });
    expect(changesBetween(STATUS, now)).toEqual([
      'config generation 3 → 4',
      'agt-x gained root',
      'breaker closed → half open',
    ]);
  });
});
