import manifest from '../package.json' with { type: 'json' };
import type { Channel } from '../src/rpc/client/channel.ts';
import { RpcError } from '../src/rpc/client/rpc-error.ts';
import { WardenDefinition } from '../src/rpc/generated/warden/v1/warden.ts';

export const CLIENT_VERSION: string = manifest.version;
const STATUS_MS = 5_000;

/** Which of the two to upgrade, by major and minor version; null where they are the same. */
export function olderSide(daemon: string, client: string): 'daemon' | 'client' | null {
  const numbers = (version: string): number[] => version.split('.', 2).map((part) => Number.parseInt(part, 10) || 0);
  const [theirs, ours] = [numbers(daemon), numbers(client)];
  const at = theirs.findIndex((part, index) => part !== ours[index]);
  if (at === -1) return null;
  return (theirs[at] ?? 0) < (ours[at] ?? 0) ? 'daemon' : 'client';
}

/** A sentence where the two are neighbours and not the same; null where they are, or the daemon does not say. */
export function versionWarning(daemon: string, client = CLIENT_VERSION): string | null {
  const older = daemon === '' ? null : olderSide(daemon, client);
  return older === null ? null : `the daemon is ${daemon} and this client ${client}: upgrade the ${older}`;
}

/**
 * An answer that the daemon does not know a request, with both versions and which side to upgrade. Any other error as
 * it is.
 */
export async function withVersions(error: unknown, channel: Channel): Promise<unknown> {
  if (!(error instanceof RpcError) || error.reason !== 'unimplemented') return error;
  const { fullName, methods } = WardenDefinition;
  const daemon = await channel.unary(fullName, methods.status, {}, { deadlineMs: STATUS_MS }).then(
    ({ version }) => version,
    () => '',
  );
  if (daemon === '') return error;
  const hint =
    olderSide(daemon, CLIENT_VERSION) === 'daemon' ? 'upgrade the daemon' : 'make daemon and client the same version';
  const message = `wardend ${daemon} does not know what warden ${CLIENT_VERSION} asks`;
  return new RpcError(error.status, error.reason, message, { ...error.details, hint });
}
