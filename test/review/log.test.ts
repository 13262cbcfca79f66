import { describe, expect, it } from 'vitest';
import { lineSink } from '../../daemon/line-sink.ts';
import { forEyes } from '../../daemon/log.ts';

const failing = (code: string): Error => Object.assign(new Error(code), { code });

/** A stderr whose next writes go as told: a number is how many bytes it takes, a code how it fails; then it takes all. */
function stderr(...next: (number | string)[]) {
  const taken: Buffer[] = [];
  const sink = lineSink(
    (line) => line,
    (bytes, offset) => {
      const told = next.shift() ?? bytes.length;
      if (typeof told === 'string') throw failing(told);
      const part = bytes.subarray(offset, offset + told);
      taken.push(part);
      return part.length;
    },
  );
  return { sink, text: () => Buffer.concat(taken).toString() };
}

describe('the log', () => {
  it.each(['ENOSPC', 'EIO', 'EPIPE', 'EBADF'])(
    'goes on after a line that met %s, and says how many were lost',
    (code) => {
      const { sink, text } = stderr(code, code, code);
      for (const line of ['one', 'two', 'three', 'four']) sink.write(`${line}\n`);
      const [said = '', after, ...rest] = text().split('\n');
      expect(JSON.parse(said)).toMatchObject({ level: 'warn', lines: 3, msg: 'log lines were lost' });
      expect([after, ...rest]).toEqual(['four', '']);
    },
  );

  it('waits a moment for a reader that is slow, and loses nothing', () => {
    const { sink, text } = stderr('EAGAIN', 2, 'EINTR', 'EAGAIN', 1);
    sink.write('a line\n');
    expect(text()).toBe('a line\n');
  });

  it('waits no longer than a moment for one that does not read at all', () => {
    const { sink, text } = stderr(...Array.from({ length: 21 }, () => 'EAGAIN'));
    sink.write('lost\n');
    sink.write('next\n');
    expect(text()).toMatch(/^\{.*"lines":1,.*\}\nnext\n$/);
  });

  it('begins a new line after one that was torn', () => {
    const { sink, text } = stderr(3, 'ENOSPC');
    sink.write('abcdef\n');
    sink.write('next\n');
    const [torn, said, next] = text().split('\n');
    expect(torn).toBe('abc');
    expect(said).toContain('log lines were lost');
    expect(next).toBe('next');
  });

  it('on a terminal shows no character that steers it', () => {
    const hostile = {
      time: '2026-01-02T03:04:05.678Z',
      level: 'info',
      msg: 'm\u009b31m',
      private: 'a\u001b[2J\u009b2J\u202e\u2028b\u{e0001}',
    };
    const shown = forEyes(JSON.stringify(hostile));
    expect(shown).toMatch(/^[\x20-\x7e]*$/);
    expect(shown).toContain('\\u009b2J\\u202e\\u2028b\\udb40\\udc01');
  });
});
