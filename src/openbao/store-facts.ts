import * as z from 'zod';
import type { Secret } from '../kernel/secret.ts';
import type { StoreFacts } from '../posture/live.ts';
import { parseJson } from './answer.ts';
import type { OpenBaoClient } from './client.ts';
import { OpenBaoFault } from './fault.ts';

const name = z.string().min(1).max(256);
const SealStatus = z.object({
  type: name,
  sealed: z.boolean(),
  t: z.number().int().nonnegative(),
  n: z.number().int().nonnegative(),
  storage_type: name,
});
const Listing = z.record(name, z.unknown());

/**
 * What OpenBao says of itself, by reading alone: seal status, audit devices, mounts. The token may read `sys/audit`
 * (with sudo) and `sys/mounts`. @throws OpenBaoFault
 */
export async function readStoreFacts(client: OpenBaoClient, token: Secret): Promise<StoreFacts> {
  const status = SealStatus.safeParse(parseJson(Buffer.from(await client.text('sys/seal-status'))));
  if (!status.success) throw new OpenBaoFault('answer', 'the seal status of OpenBao is none');
  const { type, sealed, t, n, storage_type } = status.data;
  if (sealed) throw new OpenBaoFault('sealed', 'OpenBao is sealed');
  const list = async (path: string): Promise<readonly string[]> => {
    const { data } = await client.call({ method: 'GET', path, token });
    const listing = Listing.safeParse(data ?? {});
    if (!listing.success) throw new OpenBaoFault('answer', `what OpenBao answers to ${path} is no list`);
    return Object.keys(listing.data).map((key) => key.replace(/\/$/, ''));
  };
  return {
    sealType: type,
    threshold: t,
    shares: n,
    storage: storage_type,
    auditDevices: await list('sys/audit'),
    mounts: await list('sys/mounts'),
  };
}
