import type { Command } from '../command.ts';
import { offline, online } from '../load-part.ts';

/** What there is and how it is. */
export const LOOK: readonly Command[] = [
  {
    name: 'ca',
    summary: 'show the public keys that certificates are signed with, ready for sshd',
    positionals: [],
    options: {},
    notes: ['With --quiet only the key lines: warden ca --quiet > /etc/ssh/warden_ca.pub.'],
    examples: [{ run: 'warden ca', says: 'keys, TrustedUserCAKeys and AuthorizedPrincipalsFile lines' }],
    load: () => online('ca'),
  },
  {
    name: 'ca roll',
    summary: 'replace the CA key: publish a next one, switch to it, let the former one go',
    positionals: [],
    options: {
      begin: { type: 'boolean', summary: 'make a next key and publish it' },
      switch: { type: 'boolean', summary: 'sign with the next key, and keep the former one published' },
      finish: { type: 'boolean', summary: 'publish the former key no more' },
      status: { type: 'boolean', summary: 'where it stands, and how old the keys are; the default' },
      next: { type: 'string', value: 'KEY', summary: 'with --begin: this key (FILE, credential:NAME, agent:SHA256:…)' },
      now: { type: 'boolean', summary: 'with --finish: though certificates of the former key may still be good' },
      'dry-run': { type: 'boolean', summary: 'show what the step would do, and do nothing' },
    },
    notes: [
      'It edits ca: in warden.yaml and nothing else there; the daemon takes it up by itself.',
      'Between two steps every host must be given the keys that it shall trust: warden ca --quiet.',
    ],
    examples: [
      { run: 'warden ca roll --begin', says: 'then bring both keys onto every host' },
      { run: 'warden ca roll --switch', says: 'certificates of the former key stay good' },
      { run: 'warden ca roll --finish', says: 'once they have expired' },
    ],
    load: () => offline('caRoll'),
  },
  {
    name: 'actors',
    summary: 'list the actors that you may ask for',
    positionals: [],
    options: {},
    notes: ['Administrators see every actor; which ones they may use themselves is marked. --quiet prints names only.'],
    examples: [{ run: 'warden actors', says: 'names, types, principals, lifetimes' }],
    load: () => online('actors'),
  },
  {
    name: 'status',
    summary: 'show what the daemon is, in which posture, and how its dependencies are',
    positionals: [],
    options: { watch: { type: 'boolean', summary: 'go on, and show what changes; waits for a daemon that restarts' } },
    notes: [
      'Exit code 0 where everything is serving, 4 where something is not.',
      '--watch draws in place on a terminal (q ends it, the screen comes back as it was); elsewhere, a line for each change. With --json `{"lost":…}` says that the daemon went away.',
    ],
    examples: [
      { run: 'warden status --watch', says: 'a live view, across restarts of the daemon' },
      { run: 'warden status --watch --json', says: 'one JSON object per change' },
    ],
    load: () => online('status'),
  },
  {
    name: 'doctor',
    summary: 'look at everything the daemon stands on, name what is wrong, and say how to mend it',
    positionals: [],
    options: {
      state: { type: 'string', value: 'DIR', summary: 'the state folder of the daemon', complete: 'folder' },
      hosts: {
        type: 'boolean',
        summary: "compare the clocks of the inventory's hosts too, over ssh as you have it set up",
      },
    },
    notes: [
      'Exit code 0 healthy, 1 with findings, 2 where there is nothing to look at. Works without a daemon too: then what can be seen without one is looked at.',
      'It changes nothing. Under posture test or prod it asks the decision point about an actor that does not exist: a deny is the right answer.',
      'Run it as root or as the user of the daemon: what you may not read it calls unknown.',
    ],
    examples: [
      { run: 'warden doctor', says: 'each thing in a line, with what to do' },
      { run: 'warden doctor --json --quiet', says: 'for a monitor: {"healthy":…,"checks":[…]}' },
    ],
    load: () => offline('doctor'),
  },
];
