import type { Command } from '../command.ts';
import { online } from '../load-part.ts';
import { FILTERS, STATE } from './options.ts';

/** The record of all that was released or refused. */
export const LEDGER: readonly Command[] = [
  {
    name: 'ledger verify',
    summary: 'check that no record was altered, removed, reordered or cut off',
    positionals: [],
    options: { state: STATE },
    notes: [
      'Reads the state folder itself, no daemon needed. Exit code 0 whole, 1 broken (with the line), 2 unusable.',
      'Without --state it is the folder of the daemon that --socket or WARDEN_SOCKET names, else the default one.',
    ],
    examples: [{ run: 'warden ledger verify --state /var/lib/warden', says: "the system daemon's ledger" }],
    load: () => online('ledgerVerify'),
  },
  {
    name: 'ledger tail',
    summary: 'show the last records and go on with --follow',
    positionals: [],
    options: {
      lines: { type: 'string', value: 'N', summary: 'how many, 20 by default' },
      follow: { type: 'boolean', summary: 'go on with new records as they come' },
      state: STATE,
    },
    notes: ['You see your own records; auditors and administrators see all.'],
    examples: [{ run: 'warden ledger tail --follow', says: 'what happens, as it happens' }],
    load: () => online('ledgerTail'),
  },
  {
    name: 'ledger query',
    summary: 'find records',
    positionals: [],
    options: {
      ...FILTERS,
      limit: { type: 'string', value: 'N', summary: 'the last N that match, 100 by default, at most 10000' },
      state: STATE,
    },
    notes: ['With --json one record a line, as it stands in the ledger.'],
    examples: [
      { run: 'warden ledger query --actor agt-ci --outcome refused --since 7d', says: 'what was refused this week' },
      { run: 'warden ledger query --serial 1234 --json', says: 'the record of one certificate' },
    ],
    load: () => online('ledgerQuery'),
  },
  {
    name: 'ledger export',
    summary: 'write every record, oldest first, as JSON lines',
    positionals: [],
    options: {
      ...FILTERS,
      state: STATE,
      format: { type: 'string', value: 'FORMAT', summary: 'jsonl (default) or csv', complete: ['jsonl', 'csv'] },
      fields: { type: 'string', value: 'NAMES', summary: 'only these fields, with commas between' },
      out: { type: 'string', short: 'o', value: 'FILE', summary: 'where to; stdout by default', complete: 'file' },
    },
    notes: [
      'Reads the state folder itself. The lines are byte for byte those of the ledger, so the chain can be checked elsewhere.',
    ],
    examples: [{ run: 'warden ledger export --since 30d --out june.jsonl', says: 'a month for an auditor' }],
    load: () => online('ledgerExport'),
  },
  {
    name: 'ledger accept',
    summary: 'accept a break in the ledger after you have looked into it',
    positionals: [],
    options: {
      state: STATE,
      reason: { type: 'string', value: 'TEXT', summary: 'why; it is recorded' },
    },
    notes: [
      'For a state folder put back from a copy, or a ledger that was damaged. The break itself stays visible; the daemon must be stopped.',
    ],
    examples: [
      {
        run: 'warden ledger accept --reason "restored from the backup of 1 June"',
        says: 'lets the daemon start again',
      },
    ],
    load: () => online('ledgerAccept'),
  },
];
