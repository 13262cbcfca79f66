import * as z from 'zod';
import { absolutePath, line, matching, whole } from './common.ts';

/** The kernel keeps the last number for "unchanged". */
const MAX_ID = 4_294_967_294;

const accountName = matching('not an account name', 'a name such as deploy', /^[A-Za-z_][A-Za-z0-9._@+-]{0,255}\$?$/);
export const unitName = line(255)
  .refine((value) => /^[A-Za-z0-9:_.\\@-]+\.(?:service|scope)$/.test(value), {
    error: 'not the name of a service or scope unit',
    params: { hint: 'the whole name, such as backup.service' },
  })
  .refine((value) => !value.includes('@.'), {
    error: 'the name of a template, which never runs',
    params: { hint: 'an instance, such as worker@1.service' },
  })
  .meta({ pattern: '\\.(service|scope)$' });

/** One entry of `callers:` and the like: all keys that are there must hold. */
const selector = z
  .strictObject({
    uid: whole(0, MAX_ID).optional().describe('User id of the caller.'),
    user: accountName.optional().describe('User name, resolved to its number when the file is loaded.'),
    gid: whole(0, MAX_ID).optional().describe('Group id, primary or supplementary.'),
    group: accountName.optional().describe('Group name, resolved to its number when the file is loaded.'),
    exe: absolutePath
      .optional()
      .describe('Executable; it must be the very file that the caller runs (device and inode).'),
    exe_sha256: matching(
      'not a SHA-256 digest',
      '64 hexadecimal digits, as `sha256sum FILE` prints',
      /^[0-9A-Fa-f]{64}$/,
    )
      .optional()
      .describe('SHA-256 of the executable, 64 hexadecimal digits.'),
    unit: unitName.optional().describe("Unit of the system's service manager."),
    user_unit: unitName.optional().describe("Unit of the user's service manager; needs `uid` or `user`."),
  })
  .superRefine((value, context) => {
    const say = (message: string, hint: string, path: string[] = []): void => {
      context.addIssue({ code: 'custom', path, message, params: { hint } });
    };
    if (Object.values(value).every((part) => part === undefined))
      say('an empty selector would admit everyone', 'at least one key, such as { uid: 1000 }');
    if (value.uid !== undefined && value.user !== undefined)
      say('`uid` and `user` say the same thing twice', 'one of the two', ['user']);
    if (value.gid !== undefined && value.group !== undefined)
      say('`gid` and `group` say the same thing twice', 'one of the two', ['group']);
    if (value.user_unit !== undefined && value.uid === undefined && value.user === undefined) {
      say('`user_unit` alone would admit every user who names a unit so', '`uid` or `user` beside it', ['user_unit']);
    }
  })
  .meta({ id: 'selector', minProperties: 1 });

export const selectors = z.array(selector).refine((list) => list.length <= 256, {
  error: 'more than 256 selectors',
  params: { hint: 'at most 256; a `group` stands for many' },
});

export type RawSelector = z.output<typeof selector>;
