import { setTimeout as pause } from 'node:timers/promises';
import { WardenError } from '../../src/kernel/errors.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import { type StatusResponse, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { type ShownError, toShown } from '../report-error.ts';

/** What is seen of a daemon over time. */
export type Sighting =
  | { readonly kind: 'status'; readonly status: StatusResponse }
  /** Told again only where the words change; a status follows as soon as there is a daemon again. */
  | { readonly kind: 'lost'; readonly error: ShownError };

/** All in milliseconds. */
export interface FollowTimes {
  readonly firstPause: number;
  readonly longestPause: number;
  readonly pingEvery: number;
  readonly pingWithin: number;
}

const TIMES: FollowTimes = { firstPause: 200, longestPause: 2_000, pingEvery: 3_000, pingWithin: 5_000 };
const MEND_THEMSELVES = new Set(['rate_limited', 'concurrency_limited', 'connection_limited']);

/**
 * The status at each change, across restarts of the daemon, until the signal ends it. Only a daemon that was there
 * is waited for. @throws what connecting the first time throws, and any refusal that waiting does not mend
 */
export async function* followStatus(
  connect: () => Promise<Channel>,
  signal: AbortSignal,
  times: FollowTimes = TIMES,
): AsyncGenerator<Sighting, void, undefined> {
  let channel: Channel | null = await connect();
  let told = '';
  let wait = times.firstPause;
  while (!signal.aborted) {
    try {
      channel ??= await connect();
      for await (const status of watch(channel, signal, times)) {
        told = '';
        wait = times.firstPause;
        yield { kind: 'status', status };
      }
      throw new WardenError('daemon_unreachable', 'the daemon ended the watch');
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toShown(thrown);
      if (!mendsItself(error)) throw thrown;
      if (error.message !== told) yield { kind: 'lost', error };
      told = error.message;
    } finally {
      channel?.close();
      channel = null;
    }
    await pause(wait, undefined, { signal }).catch(() => {});
    wait = Math.min(wait * 2, times.longestPause);
  }
}

async function* watch(channel: Channel, signal: AbortSignal, times: FollowTimes): AsyncGenerator<StatusResponse> {
  const { fullName, methods } = WardenDefinition;
  const close = (): void => channel.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    channel.keepAsking(times.pingEvery, times.pingWithin);
    yield* channel.stream(fullName, methods.watchStatus, {}, { deadlineMs: null });
  } finally {
    signal.removeEventListener('abort', close);
  }
}

function mendsItself({ kind, reason }: ShownError): boolean {
  return kind === 'unreachable' || kind === 'unavailable' || MEND_THEMSELVES.has(reason);
}
