import { isAbsolute, normalize } from 'node:path';
import * as z from 'zod';
import { ACTOR_TYPES } from '../../inventory/actor.ts';
import { PRINCIPAL, SUBJECT, TENANT } from '../../inventory/names.ts';
import { parseDuration, parseSize } from '../../kernel/duration.ts';

/** A text that holds a rule: `message` says what is wrong, `hint` what to write. Both in the project's manner. */
export function text(
  message: string,
  hint: string,
  holds: (value: string) => boolean,
  meta: Record<string, unknown> = {},
) {
  return z.string().refine(holds, { error: message, params: { hint } }).meta(meta);
}

export function matching(message: string, hint: string, pattern: RegExp) {
  return text(message, hint, (value) => pattern.test(value), { pattern: pattern.source });
}

/** Characters that must not reach a log line, an argv or a header. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

/** A line of free text. */
export function line(max: number) {
  return text(
    `longer than ${max} characters, or with line breaks or control characters`,
    'one line of plain text',
    (value) => value.length <= max && !CONTROL.test(value),
    {
      maxLength: max,
    },
  );
}

export function duration(low: string, high: string) {
  const least = parseDuration(low) ?? 0;
  const most = parseDuration(high) ?? 0;
  const holds = (value: string): boolean => {
    const ms = parseDuration(value);
    return ms !== null && ms >= least && ms <= most;
  };
  return text(`not a duration from ${low} to ${high}`, 'a number and its unit: 500ms, 2s, 90m, 8h', holds, {
    pattern: '^\\d+(\\.\\d+)?(ms|s|m|h|d)$',
    'x-type': 'duration',
  });
}

export function size(low: string, high: string) {
  const least = parseSize(low) ?? 0;
  const most = parseSize(high) ?? 0;
  const holds = (value: string): boolean => {
    const bytes = parseSize(value);
    return bytes !== null && bytes >= least && bytes <= most;
  };
  return text(`not a size from ${low} to ${high}`, 'a number and its unit: 512KiB, 64MiB', holds, {
    pattern: '^\\d+(B|KiB|MiB|GiB)$',
    'x-type': 'size',
  });
}

export function whole(low: number, high: number) {
  return z
    .number()
    .refine((value) => Number.isInteger(value) && value >= low && value <= high, {
      error: `not a whole number from ${low} to ${high}`,
      params: { hint: `a whole number from ${low} to ${high}` },
    })
    .meta({ type: 'integer', minimum: low, maximum: high });
}

export function hours(high: number) {
  return z
    .number()
    .refine((value) => value * 3600 >= 1 && value <= high, {
      error: `not a number of hours above 0 and up to ${high}`,
      params: { hint: 'hours as a number, fractions allowed: 8, 0.5' },
    })
    .meta({ exclusiveMinimum: 0, maximum: high });
}

/** The path of a file, relative to the config folder or absolute. */
export const path = text(
  'not a path',
  'a path relative to the config folder, or an absolute one',
  (value) => value !== '' && value.length <= 4096 && !CONTROL.test(value),
  {
    'x-type': 'path',
  },
);

export const absolutePath = text(
  'not an absolute path in its plain form',
  'an absolute path without `..`, `.`, `//` or a slash at its end, such as /usr/bin/git',
  (value) =>
    isAbsolute(value) &&
    value.length <= 4096 &&
    !CONTROL.test(value) &&
    normalize(value) === value &&
    (value === '/' || !value.endsWith('/')),
  { pattern: '^/', 'x-type': 'absolute path' },
);

/** Refuses a value that stands twice; the issue's path is the second one's. */
export function unique<Item extends z.ZodType<string>>(item: Item) {
  return z
    .array(item)
    .superRefine((values, context) => {
      const seen = new Set<string>();
      values.forEach((value, index) => {
        if (seen.has(value)) {
          context.addIssue({
            code: 'custom',
            path: [index],
            message: `\`${value}\` stands twice in this list`,
            params: { hint: 'each entry once' },
          });
        }
        seen.add(value);
      });
    })
    .meta({ uniqueItems: true });
}

export function filled<Item extends z.ZodType<string>>(item: Item, message: string, hint: string, max = 256) {
  return unique(item)
    .refine((values) => values.length > 0, { error: message, params: { hint } })
    .refine((values) => values.length <= max, {
      error: `more than ${max} entries`,
      params: { hint: `at most ${max} entries` },
    })
    .meta({ minItems: 1, maxItems: max });
}

export const version = z
  .number()
  .refine((value) => value === 1, { error: 'this daemon reads version 1 of the file', params: { hint: 'version: 1' } })
  .meta({ const: 1 })
  .describe('Version of the file format.');

export const actorType = z.enum(ACTOR_TYPES);
export const principal = matching(
  'not a principal: no comma, no space, printable ASCII, at most 255 characters',
  'a name such as deploy',
  PRINCIPAL,
);
export const subject = matching(
  'not a subject: printable ASCII without space, at most 255 characters',
  'a name such as iam:agt-example',
  SUBJECT,
);
export const tenant = matching('not a tenant', 'tenant: and a name, such as tenant:platform', TENANT);

/** http:, https: or unix:///path; no user, query or fragment in it. */
export function isEndpoint(value: string, schemes: readonly string[]): boolean {
  if (value.length > 2048 || CONTROL.test(value) || /\s/.test(value)) return false;
  if (value.startsWith('unix://')) return schemes.includes('unix:') && /^unix:\/\/\/[^?#]+$/.test(value);
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return (
    schemes.includes(url.protocol) &&
    url.hostname !== '' &&
    url.username === '' &&
    url.password === '' &&
    url.search === '' &&
    url.hash === '' &&
    !/[?#]/.test(value)
  );
}
