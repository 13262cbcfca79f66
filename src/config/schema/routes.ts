import * as z from 'zod';
import { LANES } from '../../access/route.ts';
import { ACTOR_NAME } from '../../inventory/names.ts';
import { MATURITIES } from '../../kernel/posture.ts';
import { DATA_CLASSES } from '../../posture/data-class.ts';
import { absolutePath, duration, filled, line, matching, text, unique, version, whole } from './common.ts';
import { unitName } from './selector.ts';

const id = matching(
  'not a route id',
  'lower-case letters, digits, dots, dashes and underscores, at most 64 characters: npm-publish',
  /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/,
);
const owner = matching(
  'not the name of an owner',
  'openbao, key-cape or another short name',
  /^[a-z0-9][a-z0-9._-]{0,63}$/,
);
/** Also what a field is called where it travels: no control characters, no slash. */
const field = matching(
  'not the name of a field',
  'a key at the path, such as token',
  /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}$/,
);
const mount = matching(
  'not a mount path',
  'letters, digits, dashes and slashes, no slash at either end',
  /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/,
);
const secretPath = text(
  'not a path in a store',
  'segments with a slash between, none of them `.` or `..`: workloads/ci/npm',
  (value) =>
    value.length <= 512 && value.split('/').every((part) => /^(?!\.{1,2}$)[A-Za-z0-9_.@:=-]{1,128}$/.test(part)),
);
const variable = matching(
  'not the name of an environment variable',
  'letters, digits and underscores: NODE_AUTH_TOKEN',
  /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
);
/** One element of an argv: no NUL, nothing that a terminal would act on. */
const element = line(4096);

const location = z.strictObject({
  mount: mount.describe('Mount of the engine.'),
  path: secretPath.describe(
    'Path below the mount; for KV without `data/`, for a dynamic engine such as creds/readonly.',
  ),
  fields: filled(field, 'a location without fields gives nothing', 'at least one key at the path', 64).describe(
    'Keys at the path. Nothing else there is ever released.',
  ),
});

const places = z
  .strictObject({
    prod: location.optional().describe('In prod.'),
    test: location.optional().describe('In test; never what prod has.'),
    dev: location.optional().describe("In dev; absent: prod's names, answered by the double."),
  })
  .describe('Where the secret is, by posture. Names are promoted, values never.');

const tool = z.strictObject({
  argv: z
    .array(element)
    .refine((argv) => argv.length > 0 && argv.length <= 64, {
      error: 'not a command line of 1 to 64 elements',
      params: { hint: 'argv: [key-cape, login, --json]' },
    })
    .describe("The owner's own tool. `{actor}` and `{tenant}` stand for their values as whole elements."),
  output: z
    .strictObject({
      format: z.enum(['raw', 'json']).default('raw').describe('raw: all of stdout less one newline; json: one object.'),
      field: field.default('value').describe('Key of the JSON object; for raw the name that the value goes by.'),
    })
    .prefault({})
    .describe('Which part of the output is the value.'),
});

const injection = z.strictObject({
  field: field.describe('Which field.'),
  env: variable.optional().describe('Variable that holds the value.'),
  file: variable.optional().describe('Variable that holds the path of a file with the value.'),
  stdin: z.literal(true).optional().describe("The value is the command's stdin."),
  fd: whole(3, 63).optional().describe('Descriptor that the value is read from.'),
});

const command = z.strictObject({
  path: absolutePath.describe('The executable.'),
  argv: z
    .array(element)
    .refine((argv) => argv.length <= 64, { error: 'more than 64 elements', params: { hint: 'at most 64' } })
    .default([])
    .describe('Its arguments: literal, `*` for any one, `**` at the end for any number.'),
  sha256: matching('not a SHA-256 digest', '64 hexadecimal digits, as `sha256sum FILE` prints', /^[0-9A-Fa-f]{64}$/)
    .nullable()
    .default(null)
    .describe('SHA-256 of the executable; null: not pinned.'),
});

const actorName = matching('not an actor name', 'a name of inventory.yaml, such as agt-release', ACTOR_NAME);

const unit = z.strictObject({
  unit: unitName.describe('The whole name of the unit.'),
  name: matching(
    'not the name of a credential',
    'letters, digits, dots, dashes and underscores, as in LoadCredential=NAME:…',
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}$/,
  ).describe('What the unit calls it: `LoadCredential=NAME:/run/warden/credentials.sock`.'),
  actor: actorName.describe("The workload that the unit is; one of the route's `actors`."),
  field: field.optional().describe('Which field, where the route has several.'),
});

export const route = z.strictObject({
  id: id.describe('Unique name.'),
  title: line(256).default('').describe('What it is, for people.'),
  owner: owner.describe('The system that holds the value: openbao, key-cape or another with its own tool.'),
  lane: z.enum(LANES).describe('openbao-kv, openbao-dynamic (leased), or tool.'),
  as: z.enum(['caller', 'daemon']).default('caller').describe('With whose authority it is walked.'),
  secret: z
    .strictObject({
      required_maturity: z.enum(MATURITIES).describe('What the secret demands of a workload.'),
      data_class: z.enum(DATA_CLASSES).describe('How bad it is when it becomes known.'),
    })
    .describe('Classification.'),
  location: places.optional(),
  tool: tool.optional().describe('Of the lane `tool`.'),
  fetch_capable: z.boolean().default(false).describe('May the value itself be handed over?'),
  exec_capable: z.boolean().default(false).describe('May commands run with it?'),
  inject: z
    .array(injection)
    .refine((list) => list.length <= 64, { error: 'more than 64 entries', params: { hint: 'at most 64' } })
    .default([])
    .describe('How fields reach a command.'),
  actors: unique(actorName).describe('Who may ask.'),
  units: z
    .array(unit)
    .refine((list) => list.length <= 256, { error: 'more than 256 units', params: { hint: 'at most 256' } })
    .default([])
    .describe('Units that systemd may fetch the value for (`LoadCredential=`), over the credentials socket.'),
  commands: z
    .array(command)
    .refine((list) => list.length <= 256, { error: 'more than 256 commands', params: { hint: 'at most 256' } })
    .optional()
    .describe('Which commands may run with it.'),
  allow_any_command: z.boolean().default(false).describe('In prod, for agt and atm actors, instead of `commands`.'),
  pristine: z
    .boolean()
    .default(false)
    .describe(
      "Of the caller's environment commands get only HOME USER LOGNAME TERM LANG LC_* TZ, and PATH is the system's.",
    ),
  allow_unmasked: z.boolean().default(false).describe('May a caller turn the masking of output off?'),
  allow_confined_caller: z.boolean().default(false).describe('May a caller in a sandbox ask?'),
  max_duration: duration('1s', '7d').default('1h').describe('Longest run of a command.'),
});

export const routesFile = z.strictObject({
  version,
  routes: z.array(route).default([]).describe('The catalogue of ways to secrets. It holds names, never values.'),
});

export type RawRoute = z.output<typeof route>;
