import { asWardenError } from '../kernel/errors.ts';
import { requireAdministrator } from './authorised-actor.ts';
import type { RequestContext } from './context.ts';
import { Trail } from './trail.ts';

/**
 * Who may have the config read again: administrators. A no is recorded; what a reload does, the reload itself records.
 * @throws WardenError not_administrator
 */
export async function mayReload(context: RequestContext): Promise<void> {
  try {
    await requireAdministrator(context);
  } catch (thrown) {
    throw await new Trail('reload', context).refuse(asWardenError(thrown));
  }
}
