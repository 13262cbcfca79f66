import type { Command } from '../command.ts';
import { offline } from '../load-part.ts';

/** OpenBao, and stand-ins for what is outside. */
export const OPENBAO: readonly Command[] = [
  {
    name: 'openbao setup',
    summary: 'print or make what the daemon needs in OpenBao: SSH engine, CA, roles, policy, AppRole',
    positionals: [],
    options: {
      'dry-run': { type: 'boolean', summary: 'only print what is missing or differs' },
      apply: { type: 'boolean', summary: 'make it so' },
      name: { type: 'string', value: 'NAME', summary: 'of the policy and the AppRole; warden by default' },
    },
    notes: [
      'As you: with BAO_TOKEN (set but empty means none), VAULT_TOKEN, else ~/.vault-token. Without a token --dry-run asks nobody and shows all that is needed. Roles permit what the actors of inventory.yaml need and no more; run it again when they change.',
      'An existing CA is kept, and a pinned key that differs is never replaced. A secret id is made where its file is missing. Exit code 1 where something else is in the way.',
    ],
    examples: [
      { run: 'warden openbao setup --dry-run', says: 'the difference between what is there and what is needed' },
      { run: 'warden openbao setup --apply', says: 'makes it; the second time it does nothing' },
    ],
    load: () => offline('openbaoSetup'),
  },
  {
    name: 'double flex-auth',
    summary: 'run the flex-auth double: a synthetic decision point with registry, policy and decision log',
    positionals: [],
    options: {
      addr: { type: 'string', value: 'ADDR', summary: 'HOST:PORT or unix:///path, 127.0.0.1:8080 by default' },
      registry: { type: 'string', value: 'FILE', summary: 'registry snapshot; required', complete: 'file' },
      policy: {
        type: 'string',
        value: 'FILE',
        summary: 'policy package; the one built in by default',
        complete: 'file',
      },
      log: { type: 'string', value: 'FILE', summary: 'decision log, JSON lines', complete: 'file' },
    },
    notes: ['For dev and tests; refuses where the config in force says prod. SIGHUP reads the registry again.'],
    examples: [
      {
        run: 'warden double flex-auth --registry registry_snapshot.json',
        says: 'answers POST /v1/check on 127.0.0.1:8080',
      },
    ],
    load: () => offline('doubleFlexAuth'),
  },
  {
    name: 'double materialize',
    summary: 'write doubles of bao and key-cape: executables with synthetic values, for working offline',
    positionals: [{ name: 'DIR', required: true, complete: 'folder' }],
    options: {},
    notes: [
      'For dev and tests; refuses where the config in force says prod. Values are the same for the same path until the doubles are written anew.',
    ],
    examples: [{ run: 'warden double materialize doubles', says: 'doubles/bao and doubles/key-cape' }],
    load: () => offline('doubleMaterialize'),
  },
];
