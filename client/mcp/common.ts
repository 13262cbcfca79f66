import * as z from 'zod';
import type { ToolContext } from './tool.ts';

export const actor = z
  .string()
  .max(64)
  .optional()
  .describe(
    'The workload to act for, such as agt-release. Left out: the one that this server was started for, or the only one.',
  );
export const reason = z.string().max(512).optional().describe('Why, for the decision point and the ledger.');
export const ticket = z.string().max(128).optional().describe('A ticket, for the decision point and the ledger.');
export const route = z.string().min(1).max(64).describe('Id of a route, as list_routes has it.');

export const command = z
  .array(z.string().max(131_072))
  .min(1)
  .max(4096)
  .describe('The command and its arguments, each an element. No shell reads it.');

/** "" where the daemon is to find the one actor that admits this process. */
export function actorOf(named: string | undefined, { invocation }: ToolContext): string {
  return named ?? invocation.args.string('actor') ?? '';
}

/** What every request says of its asker. */
export function askedBy(
  { invocation }: ToolContext,
  input: { reason?: string | undefined; ticket?: string | undefined },
) {
  return {
    subject: invocation.env.WARDEN_POLICY_SUBJECT ?? '',
    idToken: (invocation.env.WARDEN_ID_TOKEN ?? '').trim(),
    reason: input.reason ?? '',
    ticket: input.ticket ?? '',
  };
}
