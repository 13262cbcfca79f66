import { lstat, unlink } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { WardenError } from '../kernel/errors.ts';

/** Node 20 cuts longer ones without a word. */
const LONGEST_SOCKET_PATH = 107;

export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/**
 * `HOST:PORT` (port 0 takes a free one), `[::1]:PORT` or `unix:///path`.
 * @throws WardenError invalid_request
 */
export function parseListenAddress(text: string): ListenAddress {
  const unix = /^unix:\/\/(\/[^\0]+)$/.exec(text)?.[1];
  if (unix !== undefined) {
    if (Buffer.byteLength(unix) > LONGEST_SOCKET_PATH)
      throw invalid(`the socket path is longer than ${LONGEST_SOCKET_PATH} bytes`);
    return { kind: 'unix', path: unix };
  }
  const tcp = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  const host = tcp?.[1] ?? tcp?.[2];
  const port = Number(tcp?.[3]);
  if (host === undefined || port > 65_535) throw invalid('the address to listen on cannot be read');
  return { kind: 'tcp', host, port };
}

/**
 * Takes away a socket file that nobody listens on any more. What is no socket, or answers, stays.
 * @throws WardenError socket_in_use
 */
export async function clearDeadSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (!found.isSocket()) throw inUse('a file that is no socket stands at the address to listen on');
  if (await answers(path)) throw inUse('another program listens at this address');
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    // Anything but a refusal (no permission, a full queue) means that somebody is there.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

export function inUse(message: string, cause?: unknown): WardenError {
  return new WardenError('socket_in_use', message, {
    hint: 'give another --addr, or stop the program that holds this one',
    ...(cause === undefined ? {} : { cause }),
  });
}

function invalid(message: string): WardenError {
  return new WardenError('invalid_request', message, { hint: 'write HOST:PORT or unix:///absolute/path' });
}
