import * as z from 'zod';
import { inventoryFile } from '../../src/config/schema/inventory.ts';
import { routesFile } from '../../src/config/schema/routes.ts';
import { wardenFile } from '../../src/config/schema/warden.ts';

/** The documents that are generated from the config schemas: path in the repository, and text. */
export function configDocs(): readonly { readonly path: string; readonly text: string }[] {
  const warden = jsonSchema(wardenFile, 'warden.yaml');
  const inventory = jsonSchema(inventoryFile, 'inventory.yaml');
  const routes = jsonSchema(routesFile, 'routes.yaml');
  return [
    { path: 'docs/schemas/warden.schema.json', text: `${JSON.stringify(warden, null, 2)}\n` },
    { path: 'docs/schemas/inventory.schema.json', text: `${JSON.stringify(inventory, null, 2)}\n` },
    { path: 'docs/schemas/routes.schema.json', text: `${JSON.stringify(routes, null, 2)}\n` },
    { path: 'docs/config.md', text: markdown(warden, inventory, routes) },
  ];
}

/** As much of JSON Schema as zod writes for these files. */
interface Schema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly $ref?: string;
  readonly definitions?: Readonly<Record<string, Schema>>;
  readonly 'x-type'?: string;
}

// Draft 7 is what editors' YAML language servers read.
function jsonSchema(schema: z.ZodType, title: string): Schema {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema: json }) => {
      // A section that may be left out stands for its own defaults: `{}` says nothing.
      if (JSON.stringify(json.default) === '{}') delete json.default;
      // zod writes a definition's name into it too.
      delete json.id;
    },
  });
  return { $schema, title, ...rest } as Schema;
}

const INTRODUCTION = `# Configuration

<!-- Generated from the schemas in src/config/schema by npm run generate:docs: change those, not this. -->

The config folder is \`$XDG_CONFIG_HOME/warden\` or, for the system's daemon, \`/etc/warden\`. It holds \`warden.yaml\`,
\`inventory.yaml\` and, where secrets are fetched, \`routes.yaml\`. \`warden init\` writes the first two, \`warden check\` validates them, and a running daemon reads them again as soon as they
change: every problem is reported with file, line, column and what to write, and the last good state stays in force.

- YAML 1.2, UTF-8, one document, at most 64 MiB a file. Unknown keys and keys written twice are errors.
- Durations are \`500ms\`, \`2s\`, \`90m\`, \`8h\`, \`30d\`; sizes \`512KiB\`, \`64MiB\`; keys that end in \`_hours\` are numbers, fractions allowed.
- Relative paths are relative to the config folder.
- Files, and the folders they lie in, are refused where group or others can write them, or where they belong to neither root nor the
  daemon's user; a folder above them is refused where everyone can write it (\`/tmp\`, with its sticky bit, is not). A read-only mount is exempt.
- What a running daemon can't change is refused by name and needs a restart: \`posture\`, \`socket.mode\`, \`socket.group\`.
- An empty folder is good for the dev posture only: the daemon then stands on built-in defaults with the synthetic actors
  \`adm-example\`, \`agt-demo\` and \`atm-demo\`.
- \`routes.yaml\` holds names, never values: one that holds something like a value, in a comment too, is refused.

Editors complete and check the files against [the JSON Schemas](schemas/) where the first line says so:
\`# yaml-language-server: $schema=…/docs/schemas/warden.schema.json\`. Rules between keys are checked by \`warden check\` alone.
`;

function markdown(warden: Schema, inventory: Schema, routes: Schema): string {
  const parts = [INTRODUCTION, '## warden.yaml\n', table(warden, (schema) => schema.properties === undefined)];
  for (const [name, schema] of Object.entries(warden.properties ?? {})) {
    if (schema.properties !== undefined) parts.push(`### ${name}\n`, `${schema.description ?? ''}\n`, table(schema));
  }
  parts.push('## inventory.yaml\n', table(inventory));
  for (const [name, word] of [
    ['actors', 'An entry of actors'],
    ['hosts', 'An entry of hosts'],
  ] as const) {
    const entry = inventory.properties?.[name]?.items;
    if (entry !== undefined) parts.push(`### ${word}\n`, table(entry));
  }
  parts.push('## routes.yaml\n', table(routes));
  const route = routes.properties?.routes?.items;
  if (route !== undefined) parts.push('### An entry of routes\n', table(route));
  const selector = inventory.definitions?.selector;
  parts.push('## Selectors\n', SELECTORS);
  if (selector !== undefined) parts.push(table(selector));
  return `${parts.join('\n').trimEnd()}\n`;
}

const SELECTORS = `An entry of \`callers\`, \`admins\`, \`auditors\` and \`break_glass.callers\`. All keys that are there must hold; one entry suffices. What can't be
read of a caller doesn't match. An empty entry is an error. An \`exe\` that is an interpreter (\`/usr/bin/python3\`) admits every script that
the user runs with it: the loader warns.
`;

function table(schema: Schema, keep: (schema: Schema) => boolean = () => true): string {
  const rows = Object.entries(schema.properties ?? {})
    .filter(([, property]) => keep(property))
    .flatMap(([name, property]) => rowsOf(name, property, schema.required?.includes(name) ?? false));
  return ['| Key | Type | Default | Meaning |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}

function rowsOf(name: string, schema: Schema, required: boolean): readonly string[] {
  const cells = [`\`${name}\``, typeOf(schema), defaultOf(schema, required), schema.description ?? ''];
  const inner = innerObjects(schema);
  const rows = inner.flatMap((object) =>
    Object.entries(object.properties ?? {}).flatMap(([key, property]) =>
      rowsOf(`${name}.${key}`, property, object.required?.includes(key) ?? false),
    ),
  );
  return [`| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`, ...new Set(rows)];
}

function innerObjects(schema: Schema): readonly Schema[] {
  if (schema.properties !== undefined) return [schema];
  return [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap(innerObjects);
}

function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return '[selector](#selectors)';
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.anyOf !== undefined || schema.oneOf !== undefined) {
    return [...new Set([...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].map(typeOf))].join(' or ');
  }
  if (schema['x-type'] !== undefined) return schema['x-type'];
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.properties !== undefined) return 'map';
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return types.map((type) => TYPE_WORDS[type] ?? type).join(' or ');
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  boolean: 'true or false',
  object: 'map',
  array: 'list',
};

function defaultOf(schema: Schema, required: boolean): string {
  if (schema.default === '') return '`""`';
  if (schema.default !== undefined) return `\`${JSON.stringify(schema.default).replaceAll('"', '')}\``;
  if (required) return 'required';
  return schema.properties === undefined ? 'absent' : 'as below';
}
