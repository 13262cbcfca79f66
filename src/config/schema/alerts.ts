import * as z from 'zod';
import { parseDuration } from '../../kernel/duration.ts';
import { absolutePath, duration, text } from './common.ts';

const MAX_COUNT = 10_000;
const MAX_WINDOW_MS = 86_400_000;
const BURST = /^([1-9]\d{0,4})\/(\d+(?:\.\d+)?(?:s|m|h))$/;

/** `20/1m`: how many in how many milliseconds; null where it is not that. */
export function parseBurst(value: string): { readonly count: number; readonly windowMs: number } | null {
  const [, count = '', window = ''] = BURST.exec(value) ?? [];
  const windowMs = parseDuration(window);
  if (windowMs === null || windowMs < 1_000 || windowMs > MAX_WINDOW_MS || Number(count) > MAX_COUNT) return null;
  return { count: Number(count), windowMs };
}

const argument = text('not an argument', 'text without control characters', (value) => /^\P{Cc}{0,4096}$/u.test(value));

/** `alerts:` of warden.yaml. */
export const alerts = z.strictObject({
  refusals: text('not a burst', 'so many in a time of 1s to 24h: 20/1m', (value) => parseBurst(value) !== null, {
    pattern: BURST.source,
    'x-type': 'burst',
  })
    .nullable()
    .default(null)
    .describe('How many refusals, within what time, are an alert: `20/1m`; null: none ever is.'),
  command: z
    .array(argument)
    .refine(([program]) => absolutePath.safeParse(program).success, {
      error: 'the program is not an absolute path',
      params: { hint: 'the program and its arguments: [/usr/local/bin/alert, security]' },
    })
    .nullable()
    .default(null)
    .describe('Program and arguments to run, without a shell, with a JSON object on stdin; null: the log alone.'),
  quiet: duration('1s', '24h').default('10m').describe('After an alert, how long until the next one.'),
});
