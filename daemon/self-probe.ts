import { setTimeout as pause } from 'node:timers/promises';
import { WardenError } from '../src/kernel/errors.ts';
import { Channel } from '../src/rpc/client/channel.ts';
import { ConnectError, connectSocket } from '../src/rpc/client/connect.ts';
import { HealthCheckResponse_ServingStatus, HealthDefinition } from '../src/rpc/generated/grpc/health/v1/health.ts';

const BUSY_RETRY_MS = 20;

/**
 * Asks the daemon for its health as any caller would, by a connection of its own: accept, attestation's door, HTTP/2
 * and gRPC all have to work for it. A full backlog and want of descriptors are no death: it tries again in time.
 * @throws where no SERVING comes within the deadline
 */
export async function probeSelf(path: string, deadlineMs: number): Promise<void> {
  const until = performance.now() + deadlineMs;
  const left = (): number => Math.max(1, until - performance.now());
  const channel = new Channel(await connectInTime(path, left), path);
  try {
    const { check } = HealthDefinition.methods;
    const { status } = await channel.unary(HealthDefinition.fullName, check, { service: '' }, { deadlineMs: left() });
    if (status !== HealthCheckResponse_ServingStatus.SERVING) {
      throw new WardenError('internal', `the daemon says that its health is ${status}`);
    }
  } finally {
    channel.close();
  }
}

async function connectInTime(path: string, left: () => number): ReturnType<typeof connectSocket> {
  for (;;) {
    try {
      return await connectSocket(path, left());
    } catch (error) {
      if (!(error instanceof ConnectError) || error.fault !== 'other' || left() <= BUSY_RETRY_MS) throw error;
      await pause(BUSY_RETRY_MS);
    }
  }
}
