import { WardenError } from '../../src/kernel/errors.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';

const MAX_NAMES = 10;

/**
 * The actor to sign for: the daemon takes a name for signing always, and finds the only one for routes alone.
 * @throws WardenError invalid_request naming them where there are several, caller_not_allowed where there is none
 */
export async function onlyActor(channel: Channel, named: string): Promise<string> {
  if (named !== '') return named;
  const { fullName, methods } = WardenDefinition;
  const { actors } = await channel.unary(fullName, methods.listActors, {}, { maxMessageBytes: 64 * 1024 * 1024 });
  const names = actors.filter(({ usable }) => usable).map(({ name }) => name);
  const [only, second] = names;
  if (only === undefined) throw new WardenError('caller_not_allowed', 'no actor admits this process');
  if (second === undefined) return only;
  const more = names.length > MAX_NAMES ? ` or one of ${names.length - MAX_NAMES} more` : '';
  throw usageError(
    'you may ask for several actors, and none is named',
    `give actor: ${names.slice(0, MAX_NAMES).join(', ')}${more}`,
  );
}
