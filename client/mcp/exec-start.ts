import type { ExecStart } from '../../src/rpc/generated/warden/v1/warden.ts';
import { sentEnvironment } from '../exec/request.ts';
import { checkStartSize } from '../exec/start-size.ts';
import { actorOf, askedBy } from './common.ts';
import type { ToolContext } from './tool.ts';

export interface ExecArguments {
  readonly routes: readonly string[];
  readonly command: readonly string[];
  readonly actor?: string | undefined;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly stdin?: string | undefined;
  readonly pristine?: boolean | undefined;
  readonly no_network?: boolean | undefined;
  readonly reason?: string | undefined;
  readonly ticket?: string | undefined;
}

/** A command without a terminal, and never without masking. `token` is taken over. */
export function execStart(input: ExecArguments, token: Buffer, context: ToolContext): ExecStart {
  const start: ExecStart = {
    routes: [...input.routes],
    references: [],
    actor: actorOf(input.actor, context),
    argv: [...input.command],
    environment: sentEnvironment(context.invocation.env, input.pristine ?? false),
    additions: Object.entries(input.environment ?? {}).map(([name, value]) => ({
      name: Buffer.from(name),
      value: Buffer.from(value),
    })),
    pristine: input.pristine ?? false,
    noMask: false,
    noNetwork: input.no_network ?? false,
    terminal: undefined,
    jobControl: false,
    stdin: input.stdin !== undefined,
    openbaoToken: token,
    ...askedBy(context, input),
  };
  try {
    checkStartSize(start);
  } catch (error) {
    token.fill(0);
    throw error;
  }
  return start;
}
