import type { Command } from '../command.ts';
import { offline, online } from '../load-part.ts';
import { STATE } from './options.ts';

/** The decision point and what is handed over to it. */
export const POLICY: readonly Command[] = [
  {
    name: 'registry build',
    summary: 'turn the inventory into the registry snapshot for flex-auth',
    positionals: [],
    options: {
      out: { type: 'string', short: 'o', value: 'FILE', summary: 'where to; stdout by default', complete: 'file' },
      routes: { type: 'boolean', summary: 'add the routes, for a policy.gate with fetch or exec' },
    },
    notes: ['Same inventory and routes, same bytes.'],
    examples: [{ run: 'warden registry build --out registry_snapshot.json', says: 'hand this to flex-auth' }],
    load: () => offline('registryBuild'),
  },
  {
    name: 'registry check',
    summary: 'validate a registry snapshot and report its drift from inventory and routes',
    positionals: [{ name: 'FILE', required: true, complete: 'file' }],
    options: {},
    notes: ['Exit code 0 conforms, 1 with findings, 2 unusable.'],
    examples: [{ run: 'warden registry check registry_snapshot.json', says: 'what was forgotten to hand over' }],
    load: () => offline('registryCheck'),
  },
  {
    name: 'inventory scorecard',
    summary: 'look for weak places in the inventory',
    positionals: [],
    options: {
      state: { ...STATE, summary: 'find unused actors in the ledger of this state folder' },
      registry: {
        type: 'string',
        value: 'FILE',
        summary: 'report drift from this registry snapshot',
        complete: 'file',
      },
    },
    notes: ['Offline. Exit code 0 conforms, 1 with findings, 2 unusable.'],
    examples: [{ run: 'warden inventory scorecard', says: 'names, lifetimes, shared principals, missing callers' }],
    load: () => offline('inventoryScorecard'),
  },
  {
    name: 'smoke policy',
    summary: 'try the gate end to end: one allow, one deny, evidence without secrets',
    positionals: [],
    options: {
      actor: {
        type: 'string',
        value: 'ACTOR',
        summary: 'the actor to sign for; the first usable one by default',
        complete: 'actor',
      },
      'deny-ttl': { type: 'string', value: 'TTL', summary: 'the lifetime that must be refused, 999h by default' },
      openbao: { type: 'boolean', summary: 'the certificate must come from OpenBao; SMOKE_VAULT=1 says the same' },
      evidence: { type: 'string', value: 'FILE', summary: 'append the evidence as JSON lines', complete: 'file' },
    },
    notes: ['Uses a key pair that exists in memory only. Exit code 0 as expected, 1 not, 2 unusable.'],
    examples: [
      {
        run: 'warden smoke policy --actor agt-ci --evidence smoke.jsonl',
        says: 'before policy.enabled is turned on for all',
      },
    ],
    load: () => online('smokePolicy'),
  },
];
