import type { Command } from '../command.ts';
import type { OptionSpec } from '../command-spec.ts';
import { loadExec, loadFetch, online } from '../load-part.ts';
import { COMMAND_LINE, EXEC_REQUEST, ROUTE_REQUEST } from './options.ts';

/** Secrets by catalogued routes, and commands that run with them. */
export const SECRETS: readonly Command[] = [
  {
    name: 'access',
    summary: 'list the routes to secrets that you may ask for, and say what would happen on one',
    positionals: [
      { name: 'ROUTE', required: false },
      { ...COMMAND_LINE, required: false },
    ],
    options: {
      ...ROUTE_REQUEST,
      fetch: { type: 'boolean', summary: 'walk it: the same as warden fetch' },
      exec: { type: 'boolean', summary: 'run a command with it: the same as warden exec, in its options too' },
      'env-file': EXEC_REQUEST['env-file'] as OptionSpec,
      pristine: EXEC_REQUEST.pristine as OptionSpec,
      'no-mask': EXEC_REQUEST['no-mask'] as OptionSpec,
      'no-network': EXEC_REQUEST['no-network'] as OptionSpec,
      'no-stdin': EXEC_REQUEST['no-stdin'] as OptionSpec,
      ask: { type: 'boolean', summary: 'ask the decision point for real; that is recorded' },
    },
    notes: [
      'With a ROUTE: every step up to the owner, who is not asked, and what stands in the way. Actors whom the lattice refuses stand in brackets.',
      'Exit code 0 where it would be released or the decision point would be asked, 1 where it would be refused, 4 for a fault.',
    ],
    examples: [
      { run: 'warden access', says: 'what there is, what it needs, and for which of your actors' },
      { run: 'warden access npm-publish --actor agt-release', says: 'what would happen now, and why' },
    ],
    load: () => online('access'),
  },
  {
    name: 'fetch',
    summary: 'get a secret value through its route',
    positionals: [{ name: 'ROUTE', required: true }],
    options: ROUTE_REQUEST,
    notes: [
      'The value goes to stdout as it is, with a newline after it on a terminal only. A route with several fields wants --field, or --json for all.',
      'A route that is walked as you needs your OpenBao token: BAO_TOKEN (set but empty means none), VAULT_TOKEN, else ~/.vault-token. It is sent for this one request.',
      'Without --actor: the one actor that admits you.',
    ],
    examples: [
      { run: 'warden fetch npm-publish --actor agt-release', says: 'the value, for a pipe' },
      { run: 'warden fetch db-reader --json', says: 'all fields of one lease, with the evidence' },
      { run: 'warden fetch npm-publish --output token', says: 'into a file of mode 0600' },
      { run: 'warden fetch npm-publish --wrap-ttl 5m', says: 'a wrapping token: bao unwrap -field=token TOKEN' },
    ],
    load: loadFetch,
  },
  {
    name: 'exec',
    summary: 'run a command with the values of routes: it gets them, its output does not show them',
    positionals: [COMMAND_LINE],
    options: EXEC_REQUEST,
    failsWith: 125,
    notes: [
      'The command runs as you, in your folder, with your environment less BAO_* VAULT_* WARDEN_* LD_* and the like, plus what the routes inject. With a terminal on stdin and stdout it gets a terminal, else three pipes.',
      "The exit code is the command's own, 128+n for signal n; before a start 125 refused or failed (the cause in --json), 126 not executable, 127 not found. Signals are handed on.",
      'Masking stops accidents, not a command that means to tell: docs/exec.md says what holds against what.',
      'It reads stdin whether or not the command does: in a loop over lines add --no-stdin.',
    ],
    examples: [
      { run: 'warden exec --route npm-publish -- npm publish', says: 'npm gets NODE_AUTH_TOKEN, you do not' },
      {
        run: 'warden exec --env-file .env -- npm start',
        says: 'an existing project, its values as warden://ROUTE/FIELD',
      },
      { run: 'warden exec --route hub-db-reader -- psql', says: 'a terminal session; the login ends with it' },
    ],
    load: loadExec,
  },
];
