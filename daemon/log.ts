import { isatty } from 'node:tty';
import { type Logger, pino } from 'pino';
import { lineSink } from './line-sink.ts';

export type Log = Logger;

/**
 * Structured lines on stderr; on a terminal the same fields in a form for eyes. Redaction by path is the second net;
 * the first is that values are of type Secret and print as such.
 */
export function createLog(level = process.env.WARDEN_LOG_LEVEL ?? 'info'): Log {
  const options = {
    level: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].includes(level) ? level : 'info',
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['token', '*.token', 'id_token', '*.id_token', 'password', '*.password'],
  };
  return pino(options, lineSink(isatty(2) ? forEyes : (line) => line));
}

/**
 * `12:00:01 info  listening socket=/run/…`. Values are JSON where they hold anything but plain characters, and what
 * JSON leaves as it is (C1 controls, which terminals obey; bidirectional overrides) is escaped too.
 */
export function forEyes(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
  const text = [String(time).slice(11, 19), String(level).padEnd(5), msg, ...shown].join(' ');
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) =>
    [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  );
}
