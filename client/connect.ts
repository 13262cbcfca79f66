import { Channel } from '../src/rpc/client/channel.ts';
import type { Invocation } from './invocation.ts';
import { withVersions } from './neighbours.ts';
import { reachDaemon } from './reach-daemon.ts';

/** A channel to the first daemon that answers. The caller closes it. @throws as reachDaemon */
export async function connectDaemon(invocation: Invocation): Promise<Channel> {
  const { socket, path, headers } = await reachDaemon(invocation);
  return new Channel(socket, path, headers);
}

/** Runs `use` with a channel and closes it. */
export async function withDaemon<T>(invocation: Invocation, use: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await connectDaemon(invocation);
  try {
    return await use(channel);
  } catch (error) {
    throw await withVersions(error, channel);
  } finally {
    channel.close();
  }
}
