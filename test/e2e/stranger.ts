import { spawn } from 'node:child_process';
import { chmodSync, constants, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ErrorInfo, RetryInfo } from '../../src/rpc/generated/google/rpc/error_details.ts';
import { Status } from '../../src/rpc/generated/google/rpc/status.ts';
import { SignRequest, SignResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import { KEY, run } from './support.ts';

export const SIGN = '/warden.v1.Warden/Sign';
const SOURCES = fileURLToPath(new URL('./fixtures/', import.meta.url));

/** What came back over the wire, byte for byte. */
export interface RawAnswer {
  /** gRPC status; -1 where the connection ended without one. */
  readonly status: number;
  readonly message: string;
  /** grpc-status-details-bin in base64. */
  readonly details: string;
  /** Framed messages in base64. */
  readonly body: string;
  /** The system's code where there was no connection to speak over. */
  readonly failed?: string;
}

/** A folder with the programs of callers, where every user can run them. */
export interface Callers {
  readonly script: string;
  readonly connectThen: string;
  /** Two copies of one program: the same bytes, two files. */
  readonly programs: readonly [string, string];
  remove(): void;
}

export function makeCallers(): Callers {
  const folder = mkdtempSync(join(tmpdir(), 'warden-callers-'));
  chmodSync(folder, 0o755);
  const put = (source: string, name: string, mode: number): string => {
    const target = join(folder, name);
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
    chmodSync(target, mode);
    return target;
  };
  return {
    script: put(join(SOURCES, 'call.mjs'), 'call.mjs', 0o644),
    connectThen: put(join(SOURCES, 'connect-then.py'), 'connect-then.py', 0o644),
    programs: [put(process.execPath, 'program-one', 0o755), put(process.execPath, 'program-two', 0o755)],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export interface Order {
  readonly socket: string;
  readonly program: string;
  readonly actor?: string;
  readonly request?: Uint8Array;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Runs as this uid and gid, with no other group. */
  readonly as?: { readonly uid: number; readonly gid: number };
}

export function signRequest(actor: string): Uint8Array {
  return SignRequest.encode(SignRequest.fromPartial({ actor, publicKey: KEY })).finish();
}

const setpriv = ({ as }: Pick<Order, 'as'>): string[] =>
  as === undefined ? [] : ['setpriv', `--reuid=${as.uid}`, `--regid=${as.gid}`, '--clear-groups', '--'];

function words(callers: Callers, order: Order, where: string): string[] {
  const { method = SIGN, headers = {} } = order;
  const request = order.request ?? signRequest(order.actor ?? 'agt-test');
  return [
    order.program,
    callers.script,
    where,
    method,
    Buffer.from(request).toString('base64'),
    JSON.stringify(headers),
  ];
}

/** One call by a process of its own. */
export async function callAs(callers: Callers, order: Order): Promise<RawAnswer> {
  const [file = '', ...args] = [...setpriv(order), ...words(callers, order, order.socket)];
  const { stdout } = await run(file, args, { cwd: '/' });
  return JSON.parse(stdout) as RawAnswer;
}

/**
 * One call over a connection that another program made: which then became the caller (`exec`) or left the
 * connection to it and is gone (`leave`). `attested` waits until the daemon has looked at who connected.
 */
export async function callAfter(
  callers: Callers,
  how: 'exec' | 'leave',
  order: Order,
  attested: () => Promise<void>,
): Promise<RawAnswer> {
  const args = [callers.connectThen, order.socket, how, ...words(callers, order, '3')];
  const child = spawn('/usr/bin/python3', args, { cwd: '/', stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const connected = new Promise<void>((resolve) => reader.once('line', () => resolve()));
  reader.on('line', (line) => lines.push(line));
  const closed = new Promise<void>((resolve) => reader.once('close', () => resolve()));
  await connected;
  await attested();
  child.stdin.end('go\n');
  await closed;
  return JSON.parse(lines[1] ?? '') as RawAnswer;
}

export interface Explained {
  readonly status: number;
  readonly message: string;
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retryMs: number | null;
}

/** The error details that every language's gRPC reads. */
export function explained(answer: RawAnswer): Explained {
  const { message, details } = Status.decode(Buffer.from(answer.details, 'base64'));
  const find = (name: string) => details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${name}`);
  const info = ErrorInfo.decode(find('ErrorInfo')?.value ?? new Uint8Array());
  const retry = find('RetryInfo');
  const delay = retry === undefined ? undefined : RetryInfo.decode(retry.value).retryDelay;
  return {
    status: answer.status,
    message,
    reason: info.reason,
    domain: info.domain,
    metadata: info.metadata,
    retryMs: delay === undefined ? null : Number(delay.seconds) * 1000 + delay.nanos / 1e6,
  };
}

/** Each message, out of its frame. */
export function messages(answer: RawAnswer): Buffer[] {
  const found: Buffer[] = [];
  for (let rest = Buffer.from(answer.body, 'base64'); rest.length > 0; ) {
    const end = 5 + rest.readUInt32BE(1);
    found.push(rest.subarray(5, end));
    rest = rest.subarray(end);
  }
  return found;
}

/** The one message; empty where there is none. */
export function body(answer: RawAnswer): Buffer {
  return messages(answer)[0] ?? Buffer.alloc(0);
}

export function signed(answer: RawAnswer): SignResponse {
  return SignResponse.decode(body(answer));
}
