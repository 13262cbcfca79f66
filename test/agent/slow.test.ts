import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Lock } from '../../client/agent/lock.ts';
import { Ring } from '../../client/agent/ring.ts';
import { AgentServer } from '../../client/agent/server.ts';
import { systemTimers } from '../../src/kernel/timers.ts';
import { effectiveUid } from '../../src/unix/effective-uid.ts';
import { type Listener, listen } from '../../src/unix/socket.ts';
import { HandTime } from './support/hand-timers.ts';
import { HandIssuer } from './support/issuer.ts';
import { RawClient } from './support/raw-client.ts';

/** The server itself, with a patience that a test has. */
const LIMITS = { connections: 2, partialMs: 300, unreadMs: 300 };
const events = { note: () => {}, problem: () => {} };

let folder: string;
let listener: Listener;
let server: AgentServer;
let issuer: HandIssuer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warden-agent-slow-'));
  const time = new HandTime();
  issuer = new HandIssuer(time);
  const ring = new Ring(['adm-tester'], { issuer, clock: time, timers: time, random: () => 0, events });
  const lock = new Lock(systemTimers);
  server = new AgentServer(effectiveUid(), { ring, lock, confirmer: null, allowForwarded: false, events }, LIMITS);
  listener = await listen({ path: join(folder, 's'), mode: 0o600, group: null, onConnection: server.accept });
});
afterEach(async () => {
  await listener.close();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
const open = (): RawClient => new RawClient(listener.path);

test('half a message that never becomes a whole one ends the connection, however its bytes drip in', async () => {
  const client = open();
  client.raw(Buffer.of(0, 0, 1, 0, 11));
  const drip = setInterval(() => client.raw(Buffer.of(0)), 20);
  expect(await client.answer()).toBeNull();
  clearInterval(drip);
});

test('a connection that asks nothing stays, and is answered when it asks', async () => {
  const client = open();
  expect((await client.ask(Buffer.of(99)))?.[0]).toBe(5);
  const late = open();
  late.raw(Buffer.of(0, 0));
  expect(await late.answer()).toBeNull();
  expect((await client.ask(Buffer.of(11)))?.[0]).toBe(12);
  client.close();
});

test('a client that asks on and on and reads nothing is cut off, and another one is served meanwhile', async () => {
  const greedy = open();
  greedy.pause();
  const message = Buffer.of(0, 0, 0, 1, 11);
  let sent = 0;
  const flood = setInterval(() => {
    for (let i = 0; i < 2_000; i++, sent++) greedy.raw(message);
  }, 5);
  const other = open();
  while (!greedy.ended) expect((await other.ask(Buffer.of(11)))?.[0]).toBe(12);
  clearInterval(flood);
  expect(sent).toBeGreaterThan(0);
  expect(issuer.asked).toHaveLength(1);
  other.close();
});

test('a question to the daemon on one connection holds no other up', async () => {
  let answerIssue = (): void => {};
  issuer.gate = new Promise((resolve) => {
    answerIssue = resolve;
  });
  const [waiting, other] = [open(), open()];
  waiting.send(Buffer.of(11));
  expect((await other.ask(Buffer.of(99)))?.[0]).toBe(5);
  answerIssue();
  expect((await waiting.answer())?.[0]).toBe(12);
  waiting.close();
  other.close();
});
