import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { Clock } from '../../src/kernel/clock.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import type { LedgerEvent } from '../../src/ledger/events.ts';
import { FileLedger, type FileLedgerOptions } from '../../src/ledger/file-ledger.ts';
import type { LedgerEntry } from '../../src/ledger/record.ts';

/** A clock that moves only when told to. */
export class TestClock implements Clock {
  wall = Date.UTC(2026, 5, 24, 10, 0, 0);
  mono = 1_000;
  now(): number {
    return this.wall;
  }
  monotonic(): number {
    return this.mono;
  }
  advance(ms: number): void {
    this.wall += ms;
    this.mono += ms;
  }
}

const open = new Set<FileLedger>();
const folders = new Set<string>();

afterEach(async () => {
  for (const ledger of open) await ledger.close();
  open.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  folders.clear();
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'warden-ledger-'));
  folders.add(folder);
  return folder;
}

export async function openLedger(
  dir: string,
  more: Partial<FileLedgerOptions> = {},
): Promise<{ ledger: FileLedger; clock: TestClock; events: LedgerEvent[] }> {
  const clock = new TestClock();
  const events: LedgerEvent[] = [];
  const ledger = await FileLedger.open({
    dir,
    clock,
    rotateBytes: 64 * 1024 * 1024,
    checkpointEvery: 10,
    onEvent: (event) => events.push(event),
    ...more,
  });
  open.add(ledger);
  return { ledger, clock, events };
}

export async function closeLedger(ledger: FileLedger): Promise<void> {
  open.delete(ledger);
  await ledger.close();
}

export function release(serial: number, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    kind: 'sign',
    outcome: 'ok',
    request_id: `request-${serial}`,
    actor: 'agt-state-hub-bridge',
    actor_type: 'agt',
    caller: { uid: 1000, gid: 1000, pid: 4711, exe: '/usr/bin/ssh' },
    backend: 'local',
    certificate_issued: true,
    serial: String(serial),
    principals: ['agt-task-bridge'],
    ttl_hours: 1.5,
    ...more,
  };
}

export function refusal(more: Partial<LedgerEntry> = {}): LedgerEntry {
  return {
    kind: 'sign',
    outcome: 'refused',
    reason: 'caller_not_allowed',
    caller: { uid: 1001, gid: 1001, pid: 1, exe: '/usr/bin/evil' },
    ...more,
  };
}

/** A ledger of `count` releases (a checkpoint after each ten), closed in order. */
export async function writtenLedger(dir: string, count: number, more: Partial<FileLedgerOptions> = {}): Promise<void> {
  const { ledger } = await openLedger(dir, more);
  await Promise.all(Array.from({ length: count }, (_, n) => ledger.append(release(n + 1))));
  await closeLedger(ledger);
}

/** What a promise rejects with, as a WardenError; anything else fails the test. */
export async function refusalOf(promise: Promise<unknown>): Promise<WardenError> {
  const thrown = await promise.then(
    () => new Error('it did not reject'),
    (reason: unknown) => reason,
  );
  if (thrown instanceof WardenError) return thrown;
  throw thrown;
}
