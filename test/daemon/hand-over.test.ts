import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { handOver } from '../../daemon/hand-over.ts';

/** More than two sockets hold between them. */
const MUCH = 4 * 1024 * 1024;

let dir: string;
let ours: Socket;
let theirs: Socket;
let stop: () => void;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'warden-hand-over-'));
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(join(dir, 's'), resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  theirs = createConnection(join(dir, 's')).pause();
  ours = await accepted;
  stop = () => {
    ours.destroy();
    theirs.destroy();
    server.close();
  };
});
afterEach(() => {
  stop();
  rmSync(dir, { recursive: true });
});

test('a credential is handed over whole, with the end behind it', async () => {
  const got: Buffer[] = [];
  const ended = new Promise((resolve) => theirs.once('end', resolve));
  theirs.on('data', (bytes) => got.push(bytes)).resume();
  await handOver(ours, Buffer.alloc(MUCH, 'x'), new AbortController().signal);
  await ended;
  expect(Buffer.concat(got).length).toBe(MUCH);
});

test('whoever does not take a credential in time gets no more of it, and is let go', async () => {
  const deadline = new AbortController();
  const handing = handOver(ours, Buffer.alloc(MUCH, 'x'), deadline.signal);
  deadline.abort();
  await expect(handing).rejects.toMatchObject({
    code: 'deadline_exceeded',
    message: 'the service manager does not take the credential',
  });
  expect(ours.destroyed).toBe(true);
});

test('nothing is written once the time is over', async () => {
  const handing = handOver(ours, Buffer.from('x'), AbortSignal.abort());
  await expect(handing).rejects.toMatchObject({ code: 'deadline_exceeded' });
  expect(ours.bytesWritten).toBe(0);
});

test('a service manager that goes away while it reads is told of as gone', async () => {
  const handing = handOver(ours, Buffer.alloc(MUCH, 'x'), new AbortController().signal);
  theirs.destroy();
  await expect(handing).rejects.toMatchObject({ code: 'caller_gone' });
});
