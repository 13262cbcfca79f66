import type { Actor } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import { Secret } from '../kernel/secret.ts';
import type { Tool } from './route.ts';

/** The tool's argv for this actor. A placeholder is a whole element: no value is ever parsed again. */
export function argvFor({ argv }: Tool, { name, tenant }: Pick<Actor, 'name' | 'tenant'>): readonly string[] {
  return argv.map((element) => (element === '{actor}' ? name : element === '{tenant}' ? tenant : element));
}

/** The value in a tool's output. Messages quote nothing of it. @throws WardenError tool_failed | secret_missing */
export function secretIn(output: Buffer, { format, field }: Tool['output']): Secret {
  if (format === 'raw') {
    const end = output.at(-1) === 0x0a ? output.length - 1 : output.length;
    if (end === 0) throw new WardenError('secret_missing', 'the tool gave no value');
    return new Secret(Buffer.from(output.subarray(0, end)));
  }
  const parsed = parseObject(output);
  if (parsed === null) throw new WardenError('tool_failed', 'the output of the tool is not one JSON object');
  const value = Object.hasOwn(parsed, field) ? parsed[field] : undefined;
  if (value === undefined || value === null || value === '') {
    throw new WardenError('secret_missing', `the output of the tool has no field ${field}`, {
      hint: 'mend tool.output.field of the route in routes.yaml',
    });
  }
  return Secret.fromString(typeof value === 'string' ? value : JSON.stringify(value));
}

function parseObject(output: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(output));
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    // The parser's message quotes the text.
    return null;
  }
}
