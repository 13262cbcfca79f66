import type { Command } from '../command.ts';
import { online } from '../load-part.ts';
import { ACTOR, COMMAND_LINE, EXEC_REQUEST, PUBKEY, REQUEST, ROUTE_REQUEST } from './options.ts';

/** Why, without effect. */
export const EXPLAIN: readonly Command[] = [
  {
    name: 'explain sign',
    summary: 'walk a sign request step by step without signing anything',
    positionals: [ACTOR],
    options: {
      pubkey: PUBKEY,
      ...REQUEST,
      ask: { type: 'boolean', summary: 'ask the decision point for real; that is recorded' },
    },
    notes: [
      'Exit code 0 where it would be allowed or the decision point would be asked, 1 where it would be refused, 4 for a fault.',
    ],
    examples: [{ run: 'warden explain sign agt-ci --ttl 48h', says: 'which step says no, and what it needed' }],
    load: () => online('explainSign'),
  },
  {
    name: 'explain fetch',
    summary: 'walk a fetch step by step without asking the owner; the same as warden access ROUTE',
    positionals: [{ name: 'ROUTE', required: true }],
    options: {
      ...Object.fromEntries(Object.entries(ROUTE_REQUEST).filter(([name]) => name !== 'output')),
      ask: { type: 'boolean', summary: 'ask the decision point for real; that is recorded' },
    },
    notes: [
      'Exit code 0 where it would be released or the decision point would be asked, 1 where it would be refused, 4 for a fault.',
    ],
    examples: [
      { run: 'warden explain fetch npm-publish --actor agt-release', says: 'which step says no, and what it needed' },
    ],
    load: () => online('explainFetch'),
  },
  {
    name: 'explain exec',
    summary: 'walk an exec step by step without starting anything',
    positionals: [COMMAND_LINE],
    options: {
      ...EXEC_REQUEST,
      ask: { type: 'boolean', summary: 'ask the decision point for real; that is recorded' },
    },
    notes: [
      'Exit code 0 where it would run or the decision point would be asked, 1 where it would be refused, 4 for a fault.',
    ],
    examples: [
      { run: 'warden explain exec --route npm-publish -- npm publish', says: 'which step says no, and what it needed' },
    ],
    load: () => online('explainExec'),
  },
  {
    name: 'explain',
    summary: 'print the page on a reason code',
    positionals: [{ name: 'CODE', required: false }],
    options: {},
    notes: ['Without a code: the list of all codes.'],
    examples: [{ run: 'warden explain ttl_out_of_bounds', says: 'what it means, why it happens, what to do' }],
    load: () => online('explain'),
  },
];
