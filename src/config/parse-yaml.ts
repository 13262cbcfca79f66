import type * as z from 'zod';
import { reportIssues } from './issues.ts';
import { Problems } from './problems.ts';
import { checkTree } from './yaml/check-tree.ts';
import { toValue, type YamlNode } from './yaml/node.ts';
import { quickYaml } from './yaml/quick.ts';
import { readYaml } from './yaml/read.ts';

export interface ParsedYaml<Output> {
  readonly problems: Problems;
  /** The file as JSON values; undefined where it could not be read at all. */
  readonly value: unknown;
  /** Null where the schema found problems. */
  readonly data: Output | null;
  /** The file with places; null where it could not be read at all. */
  readonly root: YamlNode | null;
}

/** Text to data: YAML, then the schema, every problem with its place. */
export function parseYaml<Schema extends z.ZodType>(
  file: string,
  bytes: Uint8Array,
  schema: Schema,
): ParsedYaml<z.output<Schema>> {
  const text = decode(bytes);
  const problems = new Problems(file, text ?? '');
  const failed = { problems, value: undefined, data: null, root: null };
  if (text === null) {
    problems.atOffset(0, 'the file is not UTF-8', 'the file in UTF-8');
    return failed;
  }
  const root = readTree(text, problems);
  if (root === null) return failed;
  problems.read(root);
  if (root.kind !== 'map') {
    problems.atOffset(root.start, 'the file must be a map of keys', 'version: 1');
    return failed;
  }
  const value = toValue(root);
  const result = schema.safeParse(value);
  if (result.success) return { problems, value, data: result.data, root };
  reportIssues(result.error.issues, schema, root, problems);
  return { problems, value, data: null, root };
}

function readTree(text: string, problems: Problems): YamlNode | null {
  const quick = quickYaml(text);
  const { root, faults } = quick === null ? readYaml(text) : { root: quick, faults: [] };
  for (const fault of faults) problems.atOffset(fault.offset, fault.message, fault.hint);
  if (root === null) {
    if (faults.length === 0) problems.atOffset(0, 'the file is empty', 'version: 1');
    return null;
  }
  const wrong = checkTree(root);
  for (const fault of wrong) problems.atOffset(fault.offset, fault.message, fault.hint);
  return wrong.length > 0 ? null : root;
}

/** Null where the bytes are no UTF-8. A byte order mark is left out. */
function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
