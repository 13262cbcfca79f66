import type { Command } from '../command.ts';
import { online } from '../load-part.ts';
import { PUSH_OPTIONS } from '../push-options.ts';

/** Taking back. */
export const REVOKE: readonly Command[] = [
  {
    name: 'revoke',
    summary: 'take certificates back: single ones, all of an actor, or all since a time',
    positionals: [],
    options: {
      serial: { type: 'string', value: 'N', multiple: true, summary: 'the certificate with this serial; repeatable' },
      'key-id': {
        type: 'string',
        value: 'ID',
        multiple: true,
        summary: 'the certificate with this key id; repeatable',
      },
      fingerprint: {
        type: 'string',
        value: 'SHA256:…',
        multiple: true,
        summary: 'every certificate over this key, now and later; repeatable',
      },
      actor: {
        type: 'string',
        value: 'ACTOR',
        summary: 'everything of this actor, which gets nothing new',
        complete: 'actor',
      },
      since: {
        type: 'string',
        value: 'TIME',
        summary: 'whatever was issued from then on: 2h, 7d or 2026-06-24T10:00:00Z',
      },
      reason: { type: 'string', value: 'TEXT', summary: 'why, for the ledger' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the ledger' },
      'dry-run': { type: 'boolean', summary: 'show what would be revoked, and do nothing' },
      lift: { type: 'boolean', summary: 'take a revocation back' },
      ...PUSH_OPTIONS,
    },
    notes: [
      'For administrators. What is still valid is looked up in the ledger; expired certificates are left alone.',
      'Hosts learn of it by the key revocation list: RevokedKeys in sshd_config, and `warden krl`.',
      'Lifting an actor lets it ask again; its certificates that were revoked stay so until their serials are lifted.',
    ],
    examples: [
      { run: 'warden revoke --actor agt-ci --dry-run', says: 'what would be taken back' },
      {
        run: 'warden revoke --actor agt-ci --reason "laptop stolen, INC-9"',
        says: 'nothing new, and all of it back',
      },
      { run: 'warden revoke --lift --actor agt-ci', says: 'it may ask again' },
    ],
    load: () => online('revoke'),
  },
  {
    name: 'krl',
    summary: "the key revocation list in force, for sshd's RevokedKeys",
    positionals: [],
    options: {
      output: { type: 'string', short: 'o', value: 'FILE', summary: 'where to; stdout by default', complete: 'file' },
      ...PUSH_OPTIONS,
    },
    notes: [
      'Anyone may have it. The daemon keeps the same file as revoked.krl in its state folder.',
      '--push runs your own ssh to the first address of each host, with your own certificate and configuration.',
    ],
    examples: [
      { run: 'warden krl -o revoked.krl', says: 'ssh-keygen -Q -l -f revoked.krl shows what it holds' },
      { run: 'warden krl --push --login root', says: 'every host of the inventory has it, or is named' },
    ],
    load: () => online('krl'),
  },
  {
    name: 'lockdown',
    summary: 'stop every release until it is lifted: certificates, secrets, commands with secrets',
    positionals: [],
    options: {
      reason: { type: 'string', value: 'TEXT', summary: 'why, for the ledger and for other administrators' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the ledger' },
      lift: { type: 'boolean', summary: 'end it' },
    },
    notes: [
      'For administrators. It survives restarts. Commands that run already go on.',
      'Certificates that are out stay good: warden revoke takes them back.',
    ],
    examples: [
      { run: 'warden lockdown --reason "agent host compromised, INC-9"', says: 'nothing leaves from now on' },
      { run: 'warden lockdown --lift', says: 'releases begin again' },
    ],
    load: () => online('lockdown'),
  },
];
