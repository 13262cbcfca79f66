import type { Command } from '../command.ts';
import { offline } from '../load-part.ts';

/** Getting a daemon: its files, its service. */
export const BEGIN: readonly Command[] = [
  {
    name: 'init',
    summary: 'write a working config folder: CA key, inventory with yourself as actor, warden.yaml',
    positionals: [],
    options: {
      posture: {
        type: 'string',
        value: 'POSTURE',
        summary: 'dev, test or prod; required, since nothing is guessed',
        complete: ['dev', 'test', 'prod'],
      },
    },
    notes: ['Writes to --config, else to your own config folder. Nothing is ever overwritten.'],
    examples: [{ run: 'warden init --posture dev', says: 'a folder to try things out with, synthetic CA included' }],
    load: () => offline('init'),
  },
  {
    name: 'install',
    summary: 'put the daemon under systemd, or take it away again',
    positionals: [],
    options: {
      system: { type: 'boolean', summary: 'for the whole machine, with a user of its own; the default for root' },
      user: { type: 'boolean', summary: 'for you alone; the default for everybody else' },
      posture: {
        type: 'string',
        value: 'POSTURE',
        summary: 'dev, test or prod: has a config written where there is none',
        complete: ['dev', 'test', 'prod'],
      },
      'dry-run': { type: 'boolean', summary: 'show what it would do, and do nothing' },
      uninstall: { type: 'boolean', summary: 'undo what it did; config, keys and ledger stay' },
      purge: { type: 'boolean', summary: 'with --uninstall: those, too, where it made them' },
    },
    notes: [
      'Shows every file, user and command before it touches anything. Units are fitted to the systemd that runs here. Run it again after an upgrade of node or of the package: nothing is refused meanwhile.',
      'What it made is noted in wardend.install.json beside the units; --uninstall undoes that and nothing else.',
    ],
    examples: [
      { run: 'warden install --system --posture prod --dry-run', says: 'what it would do to the machine' },
      { run: 'warden install --user', says: 'a daemon of your own, started by the first request' },
      { run: 'warden install --uninstall', says: 'take it away; --purge for everything' },
    ],
    load: () => offline('install'),
  },
];
