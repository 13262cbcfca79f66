import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import { usageError } from '../args.ts';
import type { Invocation } from '../invocation.ts';
import { toJson } from '../output.ts';
import { toJsonError, toShown } from '../report-error.ts';

/** One tool as a client of the protocol sees it. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: Record<string, unknown>;
  readonly readOnly: boolean;
  /** Never rejects: what goes wrong is the answer, as the client's model is to read it. */
  call(input: unknown, context: ToolContext): Promise<CallToolResult>;
}

export interface ToolContext {
  readonly invocation: Invocation;
  /** Aborts when the client takes its question back, or goes away. */
  readonly signal: AbortSignal;
}

export interface ToolSpec<Input extends z.ZodType> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  readonly readOnly: boolean;
  run(input: z.output<Input>, context: ToolContext): Promise<Record<string, unknown>>;
}

export function defineTool<Input extends z.ZodType>(spec: ToolSpec<Input>): Tool {
  const { name, title, description, readOnly } = spec;
  return {
    name,
    title,
    description,
    readOnly,
    inputSchema: z.toJSONSchema(spec.input, { io: 'input' }),
    async call(input, context) {
      try {
        return result(await spec.run(readInput(spec.input, input), context), false);
      } catch (error) {
        return result({ error: toJsonError(toShown(error)) }, true);
      }
    },
  };
}

/** @throws WardenError invalid_request naming the first argument that is wrong, and nothing of its value */
function readInput<Input extends z.ZodType>(schema: Input, input: unknown): z.output<Input> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'the arguments' : issue.path.join('.');
  throw usageError(
    `${where}: ${issue === undefined ? 'not as it must be' : complaint(issue)}`,
    'see the input schema of the tool',
  );
}

const UNITS: Readonly<Record<string, string>> = { array: ' elements', string: ' characters' };

function complaint(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `this tool does not know ${issue.keys.join(', ')}`;
    case 'invalid_type':
      return `must be of type ${issue.expected}`;
    case 'too_small':
      return `at least ${issue.minimum}${UNITS[issue.origin] ?? ''}`;
    case 'too_big':
      return `at most ${issue.maximum}${UNITS[issue.origin] ?? ''}`;
    default:
      return 'not as it must be';
  }
}

function result(value: Record<string, unknown>, isError: boolean): CallToolResult {
  const text = toJson(value);
  return { content: [{ type: 'text', text }], structuredContent: JSON.parse(text), isError };
}
