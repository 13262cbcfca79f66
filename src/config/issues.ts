import type * as z from 'zod';
import { nearest } from './nearest.ts';
import type { Problems } from './problems.ts';
import { knownKeys } from './schema/known-keys.ts';
import { shown } from './yaml/check-tree.ts';
import { nodeAt, type YamlNode } from './yaml/node.ts';

const KINDS: Readonly<Record<string, { readonly name: string; readonly example: string }>> = {
  string: { name: 'a text', example: 'a text, in quotes where it looks like a number' },
  number: { name: 'a number', example: 'a number without quotes' },
  int: { name: 'a whole number', example: 'a whole number without quotes' },
  boolean: { name: 'true or false', example: 'true or false' },
  object: { name: 'a map', example: 'keys and values, indented below it' },
  array: { name: 'a list', example: 'a list: [a, b], or one entry a line after `- `' },
};

/** Turns what zod found into problems with places, each with what to write instead. */
export function reportIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: z.core.$ZodType,
  root: YamlNode,
  problems: Problems,
): void {
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') reportUnknownKeys(issue.path, issue.keys, schema, problems);
    else if (nodeAt(root, issue.path) === undefined && issue.path.length > 0) {
      const key = shown(String(issue.path.at(-1)));
      problems.at(issue.path, `\`${key}\` is missing`, missing(key, issue));
    } else {
      const { message, hint } = explain(issue, root);
      problems.at(issue.path, `${keyName(issue.path)}${message}`, hint);
    }
  }
}

function reportUnknownKeys(
  path: readonly PropertyKey[],
  keys: readonly string[],
  schema: z.core.$ZodType,
  problems: Problems,
): void {
  const known = knownKeys(schema, path);
  for (const key of keys) {
    const near = nearest(key, known);
    const hint = near === null ? `one of the keys that stand here: ${known.join(', ')}` : `${near}:`;
    problems.atKey(
      [...path, key],
      `unknown key \`${shown(key)}\`${near === null ? '' : `; the nearest known key is \`${near}\``}`,
      hint,
    );
  }
}

function missing(key: string, issue: z.core.$ZodIssue): string {
  if (key === 'version') return 'version: 1';
  if (issue.code === 'invalid_value') return `${key}: one of ${issue.values.map(String).join(', ')}`;
  return `${key}: with ${issue.code === 'invalid_type' ? (KINDS[issue.expected]?.name ?? issue.expected) : 'a value'}`;
}

function explain(issue: z.core.$ZodIssue, root: YamlNode): { readonly message: string; readonly hint: string } {
  if (issue.code === 'invalid_type') {
    const kind = KINDS[issue.expected] ?? { name: issue.expected, example: `a value of the kind ${issue.expected}` };
    return { message: `must be ${kind.name}, not ${kindOf(nodeAt(root, issue.path))}`, hint: kind.example };
  }
  if (issue.code === 'invalid_value') return oneOf(issue.values.map(String), nodeAt(root, issue.path));
  if (issue.code === 'invalid_union') {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    if (options.length > 0) return oneOf(options, nodeAt(root, issue.path));
    return { message: 'must be a text or a number', hint: 'a name, or a number without quotes' };
  }
  const hint = issue.code === 'custom' ? issue.params?.hint : undefined;
  return { message: lower(issue.message), hint: typeof hint === 'string' ? hint : 'see docs/config.md' };
}

function oneOf(
  values: readonly string[],
  node: YamlNode | undefined,
): { readonly message: string; readonly hint: string } {
  const written = node?.kind === 'scalar' && node.value !== null ? String(node.value) : null;
  const near = written === null ? null : nearest(written, values);
  const choice = values.join(', ');
  if (near !== null) return { message: `must be one of ${choice}`, hint: near };
  return { message: `must be one of ${choice}`, hint: `one of ${choice}` };
}

// Values are not repeated in messages: a secret pasted into the wrong file must not reach a log.
function kindOf(node: YamlNode | undefined): string {
  if (node === undefined) return 'absent';
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'seq') return 'a list';
  if (node.value === null) return 'empty';
  if (typeof node.value === 'string') return 'a text';
  if (typeof node.value === 'boolean') return 'true or false';
  return Number.isFinite(node.value) ? 'a number' : 'infinite or no number';
}

function keyName(path: readonly PropertyKey[]): string {
  const name = path.filter((step) => typeof step === 'string').at(-1);
  return name === undefined ? '' : `\`${shown(name)}\`: `;
}

function lower(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1);
}
