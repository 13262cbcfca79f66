import { type ChildProcess, execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type LedgerFilter, queryLedger } from '../../src/ledger/query.ts';
import type { RecordedEntry } from '../../src/ledger/record.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import type { Method } from '../../src/rpc/client/answers.ts';
import { Channel } from '../../src/rpc/client/channel.ts';
import { connectSocket } from '../../src/rpc/client/connect.ts';
import { RpcError } from '../../src/rpc/client/rpc-error.ts';
import { HealthCheckResponse_ServingStatus, HealthDefinition } from '../../src/rpc/generated/grpc/health/v1/health.ts';
import {
  QueryLedgerRequest,
  type ReloadResponse,
  SignRequest,
  type SignResponse,
  type StatusResponse,
  WardenDefinition,
} from '../../src/rpc/generated/warden/v1/warden.ts';
import { makeCaKey } from '../support/ca-key.ts';
import { type DaemonFiles, type House, makeHouse, type RunningDaemon } from '../support/daemon.ts';

export const run = promisify(execFile);
export const isRoot = process.getuid?.() === 0;
/** Out of the way, for tests that are about something else. */
export const NO_LIMITS = 'limits: { per_caller_rate: 100000/s, per_caller_concurrency: 4096 }\n';

/** One OpenSSH ed25519 public key line, of a key that nobody keeps. */
export function publicKeyLine(): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const field = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(Buffer.from(x, 'base64url'))]);
  return `ssh-ed25519 ${blob.toString('base64')} tester`;
}

export const KEY = publicKeyLine();

/** A house for the given posture, with a CA key that this posture takes. */
export function houseOf(posture: 'dev' | 'test' | 'prod', more = '', inventory?: string): House {
  const files: DaemonFiles = {
    warden: `version: 1\nposture: ${posture}\n${more}`,
    ...(inventory === undefined ? {} : { inventory }),
  };
  const house = makeHouse(files);
  if (posture === 'dev') return house;
  const key = join(house.config, 'ca_ed25519');
  for (const file of [key, `${key}.pub`]) rmSync(file);
  makeCaKey(key, 'ca-test');
  return house;
}

/** The same, with a socket that other users can walk to (the mode of the socket decides then). */
export function publicHouse(house: House): House {
  chmodSync(house.folder, 0o711);
  const run = join(house.folder, 'run');
  mkdirSync(run, { mode: 0o755, recursive: true });
  chmodSync(run, 0o755);
  return house;
}

type Asked = Partial<Parameters<typeof SignRequest.fromPartial>[0]>;

/** One connection, with the calls that tests make. */
export class Client {
  readonly #channel: Channel;

  private constructor(channel: Channel) {
    this.#channel = channel;
  }

  static async open(socket: string): Promise<Client> {
    return new Client(new Channel(await connectSocket(socket, 5_000), socket));
  }

  call<Req, Res>(method: Method<Req, Res>, request: Req): Promise<Res> {
    return this.#channel.unary(WardenDefinition.fullName, method, request);
  }

  sign(asked: Asked = {}): Promise<SignResponse> {
    const request = SignRequest.fromPartial({ actor: 'agt-test', publicKey: KEY, ...asked });
    return this.call(WardenDefinition.methods.sign, request);
  }

  status(): Promise<StatusResponse> {
    return this.call(WardenDefinition.methods.status, {});
  }

  reload(): Promise<ReloadResponse> {
    return this.call(WardenDefinition.methods.reload, {});
  }

  /** `SERVING`, `NOT_SERVING` …, as grpc.health.v1 names them. */
  async health(service: string): Promise<string> {
    const { check } = HealthDefinition.methods;
    const { status } = await this.#channel.unary(HealthDefinition.fullName, check, { service });
    return (
      Object.entries(HealthCheckResponse_ServingStatus).find(([, value]) => value === status)?.[0] ?? String(status)
    );
  }

  /** Resolves as soon as the health of a part is as wanted; the daemon says each change by itself. */
  async healthBecomes(service: string, wanted: string): Promise<void> {
    const { watch } = HealthDefinition.methods;
    for await (const { status } of this.#channel.stream(HealthDefinition.fullName, watch, { service })) {
      if (HealthCheckResponse_ServingStatus[wanted as 'SERVING'] === status) return;
    }
    throw new Error(`the health of ${service} ended before it was ${wanted}`);
  }

  /** Resolves with the first status that holds what is wanted; the daemon sends one at each change. */
  async statusBecomes(wanted: (status: StatusResponse) => boolean): Promise<StatusResponse> {
    const { watchStatus } = WardenDefinition.methods;
    for await (const status of this.#channel.stream(WardenDefinition.fullName, watchStatus, {})) {
      if (wanted(status)) return status;
    }
    throw new Error('the status ended before it was as wanted');
  }

  /** Reads the ledger as it grows, for as long as it is let. */
  async followsLedger(): Promise<void> {
    const request = QueryLedgerRequest.fromPartial({ limit: 1, follow: true });
    for await (const { seq } of this.#channel.stream(
      WardenDefinition.fullName,
      WardenDefinition.methods.queryLedger,
      request,
    )) {
      if (seq === 0n) throw new Error('a record without a number');
    }
  }

  close(): void {
    this.#channel.close();
  }
}

/** What a call is refused with, as its caller sees it. Anything but the daemon's own no fails the test. */
export async function refusalOf(answer: Promise<unknown>): Promise<RpcError> {
  const thrown = await answer.then(
    () => new Error('it was not refused'),
    (error: unknown) => error,
  );
  if (thrown instanceof RpcError) return thrown;
  throw thrown;
}

/** Records of the ledger as it lies on the disk, oldest first. */
export async function records(house: House, filter: LedgerFilter = {}): Promise<RecordedEntry[]> {
  const found: RecordedEntry[] = [];
  for await (const { record } of queryLedger(house.state, filter)) found.push(record);
  return found;
}

/** The record with this number. */
export async function recordOf(house: House, seq: bigint | string | undefined): Promise<RecordedEntry | undefined> {
  return (await records(house)).find((record) => String(record.seq) === String(seq));
}

export async function findings(house: House): Promise<readonly string[]> {
  return (await verifyLedger(house.state)).findings.map(({ file, line, what }) => `${file}:${line}: ${what}`);
}

/** Stops what is running and removes its folders, also after a test that failed half way. */
export async function clear(daemon: RunningDaemon | undefined, house = daemon?.house): Promise<void> {
  await daemon?.stop('SIGKILL');
  house?.remove();
}

export function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('close', (code) => resolve(code)));
}
