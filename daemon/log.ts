import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { type DestinationStream, type Logger, pino } from 'pino';

export type Log = Logger;

/**
 * Structured lines on stderr; on a terminal the same fields in a form for eyes. Written synchronously: an
 * asynchronous log loses its last words at SIGKILL. Redaction by path is the second net; the first is that
 * values are of type Secret and print as such.
 */
export function createLog(level = process.env.WARDEN_LOG_LEVEL ?? 'info'): Log {
  const options = {
    level: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].includes(level) ? level : 'info',
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['token', '*.token', 'id_token', '*.id_token', 'password', '*.password'],
  };
  if (isatty(2)) return pino(options, terminal);
  return pino(options, pino.destination({ dest: 2, sync: true, minLength: 0 }));
}

const terminal: DestinationStream = {
  write(line: string) {
    writeSync(2, `${forEyes(line)}\n`);
  },
};

/** `12:00:01 info  listening socket=/run/…`. Values are JSON where they hold anything but plain characters. */
export function forEyes(line: string): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const shown = Object.entries(fields)
    .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' && /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value)}`,
    );
  return [String(time).slice(11, 19), String(level).padEnd(5), msg, ...shown].join(' ');
}
