import type { Command } from '../command.ts';
import { offline, online } from '../load-part.ts';

/** A daemon that runs. */
export const OPERATE: readonly Command[] = [
  {
    name: 'check',
    summary: 'validate the config folder as the daemon would, without one',
    positionals: [],
    options: {
      diff: { type: 'boolean', summary: 'say who would gain and who would lose what against the running daemon' },
      against: { type: 'string', value: 'DIR', summary: 'the same against another config folder', complete: 'folder' },
    },
    notes: ['Exit code 0 conforms, 1 with problems, 2 unusable.'],
    examples: [{ run: 'warden check --config /etc/warden', says: 'every problem with file, line and mend' }],
    load: () => offline('check'),
  },
  {
    name: 'reload',
    summary: 'make the daemon read its config folder again',
    positionals: [],
    options: {},
    notes: ['For administrators. The daemon does this by itself when a file changes.'],
    examples: [{ run: 'warden reload', says: 'who gained and who lost what' }],
    load: () => online('reload'),
  },
  {
    name: 'break-glass',
    summary: 'open the policy gate for a bounded time while its decision point is down',
    positionals: [],
    options: {
      reason: { type: 'string', value: 'TEXT', summary: 'why; required, it is recorded' },
      for: { type: 'string', value: 'TIME', summary: 'how long, such as 30m; required' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the ledger' },
      close: { type: 'boolean', summary: 'close it again' },
    },
    notes: [
      'Only for callers that policy.break_glass.callers names, and only at a terminal. A refusal of the decision point still holds.',
    ],
    examples: [
      { run: 'warden break-glass --reason "flex-auth down, INC-7" --for 30m', says: 'each release is marked' },
    ],
    load: () => online('breakGlass'),
  },
];
