import type { ReasonCode } from '../../src/kernel/reason.ts';
import { type Page, page } from './page.ts';

/** Reasons of `src/kernel/reason.ts`: who asks. */
export const CALLER_PAGES = {
  caller_not_allowed: page(
    "None of the actor's callers: entries matches your process, or there is no such actor: the answer does not tell which.",
    [
      'The program runs as another user, from another path, or in another unit than the entry names.',
      'The actor has no callers: and you are not the user that the daemon runs as.',
      'The name of the actor is mistyped.',
    ],
    [
      'Quote the ledger number to your administrator: the record names the cause.',
      'An administrator sees the nearest entry, and what in it did not hold, with: warden explain sign ACTOR.',
      'warden actors lists the actors that you may ask for.',
    ],
  ),
  caller_gone: page(
    'The process that opened the connection has ended; nobody else may use its connection.',
    ['A parent opened the connection, handed it to a child and exited.'],
    ['Connect from the process that needs the answer, and keep it alive until the answer is there.'],
  ),
  caller_changed: page(
    'The process runs another program than when it connected.',
    ['It called exec() while it held the connection.', 'Its executable was replaced, by an upgrade say.'],
    ['Connect again from the new program.'],
  ),
  not_administrator: page(
    'Only an administrator may do this (reload, full explanations, the whole ledger).',
    ["admins: in warden.yaml does not match your process; without admins: only the daemon's own user is one."],
    ['Ask an administrator, or have yourself added to admins: in warden.yaml.'],
  ),
  rate_limited: page(
    'You ask faster than limits.per_caller_rate allows.',
    ['A loop without a pause, or many programs under one identity.'],
    ['Wait for the retry delay in the error. Use warden sign --if-expiring in timers instead of asking each time.'],
  ),
  concurrency_limited: page(
    'More of your requests run at once than limits.per_caller_concurrency allows.',
    ['Many parallel jobs ask at the same moment.'],
    ['Wait for one to end, or raise the limit in warden.yaml.'],
  ),
  quota_exceeded: page(
    'The actor was given today as much of this as `quota:` in inventory.yaml allows in a day.',
    [
      'Somebody, or a loop, asks more often than was meant.',
      'The quota is too small for the work. Released things count, refusals do not; a day begins at 00:00 UTC, and a restart of the daemon forgets nothing.',
    ],
    [
      'Wait until the time that the message names.',
      'warden actors shows what is used; warden ledger query --actor ACTOR --since 1d shows for what.',
      'An administrator raises quota: of the actor; that takes effect at once.',
    ],
  ),
  connection_limited: page(
    'The daemon holds as many connections as limits.connections allows.',
    ['Programs open connections and do not close them.'],
    ['Close connections that are not used; warden status shows how many there are.'],
  ),
} satisfies Partial<Record<ReasonCode, Page>>;
