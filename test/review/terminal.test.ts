import { describe, expect, it } from 'vitest';
import { hasTerminal, inForeground } from '../../daemon/terminal.ts';

/** /proc/PID/stat: pid, name, state, parent, group, session, terminal, foreground group, and what nobody asks for. */
const stat = (name: string, group: number, terminal: number, foreground: number): string =>
  `4711 (${name}) S 1 ${group} 4700 ${terminal} ${foreground} 4194304 0 0`;

describe('a person at a terminal', () => {
  it.each([
    ['the foreground of a terminal', stat('warden', 4711, 34816, 4711), true],
    ['one of its pipeline', stat('warden', 4709, 34816, 4709), true],
    ['a job in the background of a terminal', stat('warden', 4711, 34816, 4700), false],
    ['no terminal', stat('warden', 4711, 0, -1), false],
    ['a terminal that nobody is in the foreground of', stat('warden', 4711, 34816, -1), false],
    ['a name that poses as the rest of the line', stat('x) S 1 4711 4700 34816 4711 0 (', 4711, 0, -1), false],
    ['a line that is none', 'nothing', false],
    ['an empty line', '', false],
  ])('%s: %s', (_what, line, expected) => {
    expect(inForeground(line)).toBe(expected);
  });

  it('is not told of a process that is gone', () => {
    expect(hasTerminal(2 ** 22 + 1)).toBe(false);
  });
});
