import type { CommandEnd } from '../../src/access/command-runner.ts';
import type { ReasonCode } from '../../src/kernel/reason.ts';
import type { Launch } from '../runner/launch.ts';

/**
 * What wardend and the spawner say to each other, one connection for one command or one look for a command.
 *
 *     wardend   one byte, with two descriptors: the caller's connection as it was accepted, and one end of a socket pair;
 *               with a third where it is `copied`: the sealed file that is executed
 *     wardend   u32 length of the head, u32 length of the values (big-endian), the head as JSON, the values as they are
 *     spawner   over the socket pair, a byte with our ends of the command; then, as lines of JSON, what became of it
 *     wardend   lines of JSON: signals
 *
 * A connection that ends before the command does is the command's end, too.
 */
export type Ask =
  | { readonly kind: 'find'; readonly name: string; readonly searchPath: string }
  | ({ readonly kind: 'start'; readonly copied: boolean } & Omit<Launch, 'identity' | 'caller' | 'copy'>);

export type Answer =
  | { readonly found: string }
  | { readonly started: { readonly pid: number; readonly kind: 'pipes' | 'terminal' } }
  | { readonly refused: { readonly code: ReasonCode; readonly message: string; readonly hint: string } }
  | { readonly stopped: true }
  | { readonly ended: CommandEnd };

export interface Order {
  readonly signal: NodeJS.Signals;
}

/** execve takes some 2 MiB of arguments and environment; JSON can make two and more of one byte. */
export const MAX_HEAD_BYTES = 4 * 1024 * 1024;
export const MAX_VALUE_BYTES = 16 * 1024 * 1024;
/** Each is a file that root makes: as many as sixteen routes can ask for. */
export const MAX_FILES = 1024;
export const MAX_LINE_BYTES = 4 * 1024;
const PREFIX_BYTES = 8;

/** The head with lengths in the place of values. */
interface Head {
  readonly kind: 'start';
  readonly program: string;
  readonly copied: boolean;
  readonly args: readonly string[];
  /** A number is the length of a value. */
  readonly env: readonly (readonly [string, string | number])[];
  readonly stdin: number | null;
  readonly files: readonly (readonly [string, number])[];
  readonly descriptors: readonly (readonly [number, number])[];
  readonly terminal: Launch['terminal'];
  readonly jobControl: boolean;
  readonly network: boolean;
}

/** As pieces to be written one after the other. The values are not copied. */
export function encodeAsk(ask: Ask): readonly Buffer[] {
  const values: Buffer[] = [];
  const take = (value: Buffer): number => {
    values.push(value);
    return value.length;
  };
  const json = JSON.stringify(ask.kind === 'find' ? ask : headOf(ask, take));
  const head = Buffer.from(json, 'utf8');
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(head.length, 0);
  prefix.writeUInt32BE(
    values.reduce((sum, { length }) => sum + length, 0),
    4,
  );
  return [prefix, head, ...values];
}

function headOf(ask: Extract<Ask, { kind: 'start' }>, take: (value: Buffer) => number): Head {
  const { program, copied, args, terminal, jobControl, network } = ask;
  return {
    kind: 'start',
    program,
    copied,
    args,
    env: [...ask.env].map(([name, { text, secret }]) => [name, secret ? take(Buffer.from(text, 'utf8')) : text]),
    stdin: ask.stdin === null ? null : take(ask.stdin),
    files: [...ask.files].map(([variable, value]) => [variable, take(value)]),
    descriptors: [...ask.descriptors].map(([number, value]) => [number, take(value)]),
    terminal,
    jobControl,
    network,
  };
}

/** What is not as `encodeAsk` makes it. The message is for the spawner's log. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** How many bytes the whole ask has, from its first eight; null while they are not there. @throws Malformed */
export function lengthOfAsk(bytes: Buffer): number | null {
  if (bytes.length < PREFIX_BYTES) return null;
  const [head, values] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
  if (head > MAX_HEAD_BYTES || values > MAX_VALUE_BYTES) throw new Malformed('too long');
  return PREFIX_BYTES + head + values;
}

/** Of a whole ask. Every field is looked at: it comes from a process that may have been taken over. @throws Malformed */
export function decodeAsk(bytes: Buffer): Ask {
  const headLength = bytes.readUInt32BE(0);
  const head = record(parseJson(bytes.toString('utf8', PREFIX_BYTES, PREFIX_BYTES + headLength)));
  if (head.kind === 'find') return { kind: 'find', name: text(head.name), searchPath: text(head.searchPath) };
  if (head.kind !== 'start') throw new Malformed('of no known kind');
  let rest = bytes.subarray(PREFIX_BYTES + headLength);
  const next = (length: unknown): Buffer => {
    const value = rest.subarray(0, whole(length, rest.length));
    rest = rest.subarray(value.length);
    return value;
  };
  const program = text(head.program);
  if (!program.startsWith('/')) throw new Malformed('the program has no absolute path');
  const ask = {
    kind: 'start' as const,
    program,
    copied: flag(head.copied),
    args: list(head.args).map(text),
    env: new Map(
      list(head.env).map((entry) => {
        const [name, value] = pair(entry);
        const secret = typeof value === 'number';
        return [variable(name), { text: text(secret ? next(value).toString('utf8') : value), secret }] as const;
      }),
    ),
    stdin: head.stdin === null ? null : next(head.stdin),
    files: new Map(
      list(head.files, MAX_FILES).map((entry) => [variable(pair(entry)[0]), next(pair(entry)[1])] as const),
    ),
    descriptors: new Map(
      list(head.descriptors).map((entry) => [descriptor(pair(entry)[0]), next(pair(entry)[1])] as const),
    ),
    terminal: head.terminal === null ? null : size(record(head.terminal)),
    // A wardend of before knows nothing of it.
    jobControl: head.jobControl === true,
    network: flag(head.network),
  };
  if (rest.length > 0) throw new Malformed('values that nobody named');
  return ask;
}

/** @throws Malformed */
export function parseOrder(line: string): Order {
  const { signal } = record(parseJson(line));
  if (typeof signal !== 'string' || !/^SIG[A-Z0-9]{2,9}$/.test(signal)) throw new Malformed('no signal');
  return { signal: signal as NodeJS.Signals };
}

export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    throw new Malformed('not JSON');
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new Malformed('no object');
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown, most = Number.POSITIVE_INFINITY): readonly unknown[] {
  if (!Array.isArray(value)) throw new Malformed('no list');
  if (value.length > most) throw new Malformed('too long a list');
  return value;
}

function pair(value: unknown): readonly [unknown, unknown] {
  const both = list(value);
  if (both.length !== 2) throw new Malformed('no pair');
  return [both[0], both[1]];
}

/** What the kernel ends at its first zero byte must have none. */
function text(value: unknown): string {
  if (typeof value !== 'string' || value.includes('\0')) throw new Malformed('no text');
  return value;
}

function variable(value: unknown): string {
  const name = text(value);
  if (name === '' || name.includes('=')) throw new Malformed('no name of a variable');
  return name;
}

function whole(value: unknown, most: number, least = 0): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw new Malformed('no number in its range');
  }
  return value;
}

function descriptor(value: unknown): number {
  return whole(value, 63, 3);
}

function size({ columns, rows }: Readonly<Record<string, unknown>>): { columns: number; rows: number } {
  return { columns: whole(columns, 65_535), rows: whole(rows, 65_535) };
}

function flag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Malformed('no truth');
  return value;
}
