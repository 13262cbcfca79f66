import { LEDGER_KINDS } from '../src/ledger/record.ts';
import type { Command } from './command.ts';
import type { OptionSpec } from './command-spec.ts';
import { PUSH_OPTIONS } from './push-options.ts';

const TTL: OptionSpec = { type: 'string', value: 'TTL', summary: 'lifetime: 90m, 8h or a bare number of hours' };
const REQUEST: Readonly<Record<string, OptionSpec>> = {
  ttl: TTL,
  principal: {
    type: 'string',
    value: 'NAME',
    multiple: true,
    summary: "only these of the actor's principals; repeatable",
  },
  reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
  ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
  'id-token-file': {
    type: 'string',
    value: 'FILE',
    summary: 'a signed ID token (- is stdin); else WARDEN_ID_TOKEN',
    complete: 'file',
  },
};
const PUBKEY: OptionSpec = {
  type: 'string',
  value: 'FILE',
  summary: 'the public key (- is stdin)',
  complete: 'file',
};
const STATE: OptionSpec = {
  type: 'string',
  value: 'DIR',
  summary: 'read this state folder, without a daemon',
  complete: 'folder',
};
const FILTERS: Readonly<Record<string, OptionSpec>> = {
  actor: { type: 'string', value: 'ACTOR', summary: 'only this actor', complete: 'actor' },
  kind: {
    type: 'string',
    value: 'KIND',
    summary: 'only this kind: sign, issue, reload …',
    complete: LEDGER_KINDS,
  },
  outcome: {
    type: 'string',
    value: 'OUTCOME',
    summary: 'ok, refused or failed',
    complete: ['ok', 'refused', 'failed'],
  },
  reason: { type: 'string', value: 'CODE', summary: 'only this reason code' },
  serial: { type: 'string', value: 'N', summary: 'only the certificate with this serial' },
  request: { type: 'string', value: 'ID', summary: 'only this request' },
  since: { type: 'string', value: 'TIME', summary: 'from then on: 2h, 7d or 2026-06-24T10:00:00Z' },
  until: { type: 'string', value: 'TIME', summary: 'up to then, in the same forms' },
};
const ROUTE_REQUEST: Readonly<Record<string, OptionSpec>> = {
  actor: { type: 'string', value: 'ACTOR', summary: 'the workload that the secret is for', complete: 'actor' },
  field: { type: 'string', value: 'NAME', multiple: true, summary: 'only this field; repeatable with --json' },
  output: {
    type: 'string',
    short: 'o',
    value: 'FILE',
    summary: 'where the value goes, with mode 0600; stdout by default',
    complete: 'file',
  },
  'wrap-ttl': {
    type: 'string',
    value: 'TIME',
    summary: 'a single-use wrapping token of OpenBao instead of the value',
  },
  reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
  ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
  'id-token-file': {
    type: 'string',
    value: 'FILE',
    summary: 'a signed ID token (- is stdin); else WARDEN_ID_TOKEN',
    complete: 'file',
  },
};
const EXEC_REQUEST: Readonly<Record<string, OptionSpec>> = {
  route: {
    type: 'string',
    value: 'ROUTE',
    multiple: true,
    summary: 'a route to a secret, with all that its inject: says; repeatable',
  },
  actor: { type: 'string', value: 'ACTOR', summary: 'the workload that the secret is for', complete: 'actor' },
  'env-file': {
    type: 'string',
    value: 'FILE',
    summary: 'variables in dotenv form, NAME=warden://ROUTE/FIELD among them (- is stdin)',
    complete: 'file',
  },
  pristine: { type: 'boolean', summary: 'of your environment only PATH HOME USER LOGNAME SHELL TERM LANG LC_* TZ' },
  'no-mask': { type: 'boolean', summary: 'output as it is; only where every route allows it' },
  'no-network': { type: 'boolean', summary: 'run the command in an empty network namespace' },
  'no-stdin': { type: 'boolean', summary: 'an empty stdin and no terminal for the command' },
  reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
  ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
  'id-token-file': {
    type: 'string',
    value: 'FILE',
    summary: 'a signed ID token (- is stdin); else WARDEN_ID_TOKEN',
    complete: 'file',
  },
};
const COMMAND_LINE = { name: 'COMMAND', required: true, rest: true } as const;
const ACTOR = { name: 'ACTOR', required: true, complete: 'actor' } as const;
type ValueOption = Omit<OptionSpec, 'summary'>;
const POSTURE: ValueOption = { type: 'string', value: 'POSTURE', complete: ['dev', 'test', 'prod'] };
const MATURITY: ValueOption = { type: 'string', value: 'LEVEL', complete: ['M0', 'M1', 'M2', 'M3'] };
const DATA_CLASS: ValueOption = {
  type: 'string',
  value: 'CLASS',
  complete: ['synthetic', 'public', 'internal', 'confidential', 'restricted'],
};
const DRILLS: Readonly<Record<string, OptionSpec>> = {
  at: { type: 'string', value: 'DAY', summary: 'judge the age of drills as of this day; today by default' },
  'restore-drill-max-age': {
    type: 'string',
    value: 'TIME',
    summary: 'how old a restore drill may be; 365d by default',
  },
  'break-glass-drill-max-age': {
    type: 'string',
    value: 'TIME',
    summary: 'how old a break-glass drill may be; 180d by default',
  },
};

/** A command of the bundle that reads no config files. */
async function online(name: keyof typeof import('./online.ts').onlineCommands): ReturnType<Command['load']> {
  const { onlineCommands } = await import('./online.ts');
  return { run: onlineCommands[name] };
}

/** A command of the bundle that does. */
async function offline(name: keyof typeof import('./offline.ts').offlineCommands): ReturnType<Command['load']> {
  const { offlineCommands } = await import('./offline.ts');
  return { run: offlineCommands[name] };
}

/** Every command, in the order of help. The only list there is. */
export const COMMANDS: readonly Command[] = [
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
  {
    name: 'sign',
    summary: 'get a short-lived certificate for a public key that you hold',
    positionals: [ACTOR],
    options: {
      pubkey: PUBKEY,
      ...REQUEST,
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'where the certificate goes (- is stdout)',
        complete: 'file',
      },
      'if-expiring': {
        type: 'string',
        value: 'TIME',
        summary: 'do nothing while the present certificate lasts longer than this',
      },
    },
    notes: [
      'Without --pubkey: the first of ~/.ssh/id_ed25519.pub, id_ecdsa.pub and id_rsa.pub, else the only key of the ssh-agent.',
      "The certificate lands beside the key as KEY-cert.pub, where ssh finds it; for an agent's key as ~/.ssh/warden-ACTOR-cert.pub. --pubkey - writes it to stdout.",
      'WARDEN_POLICY_SUBJECT is the subject that the decision point is asked about; without it, the actor.',
    ],
    examples: [
      { run: 'warden sign adm-example', says: 'a certificate for your default key, beside it' },
      { run: 'warden sign agt-ci --pubkey ci.pub --ttl 15m', says: 'for a quarter of an hour' },
      {
        run: 'warden sign atm-backup --pubkey backup.pub --if-expiring 1h',
        says: 'in a timer: renew when an hour is left',
      },
      { run: 'ssh-add -L | head -1 | warden sign adm-example --pubkey - > cert.pub', says: 'from stdin to stdout' },
    ],
    load: () => import('./commands/sign.ts'),
  },
  {
    name: 'issue',
    summary: 'make a new key pair here and get a certificate for it',
    positionals: [ACTOR],
    options: {
      type: {
        type: 'string',
        value: 'TYPE',
        summary: 'ed25519 (default), ecdsa-p256, ecdsa-p384, ecdsa-p521, rsa-3072 or rsa-4096',
        complete: ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa-3072', 'rsa-4096'],
      },
      ...REQUEST,
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'the private key; beside it FILE.pub and FILE-cert.pub',
        complete: 'file',
      },
      force: { type: 'boolean', summary: 'replace a key that is there' },
      agent: { type: 'boolean', summary: 'put key and certificate into the running ssh-agent, write no file' },
    },
    notes: [
      'Only the public key travels. The private key is written with mode 0600, by default to ~/.ssh/warden-ACTOR, or goes into the ssh-agent for as long as the certificate lasts.',
    ],
    examples: [
      { run: 'warden issue agt-ci --ttl 1h --agent', says: 'a key that lives in the agent for an hour' },
      { run: 'warden issue atm-backup --out backup_key', says: 'backup_key, backup_key.pub and backup_key-cert.pub' },
    ],
    load: () => online('issue'),
  },
  {
    name: 'agent',
    summary: 'run an ssh-agent with short-lived certificates, renewed while they are used',
    positionals: [{ name: 'COMMAND', required: false, rest: true }],
    options: {
      actor: {
        type: 'string',
        value: 'ACTOR',
        multiple: true,
        summary: 'whose certificates it offers; repeatable. By default the one actor that admits you',
        complete: 'actor',
      },
      ttl: TTL,
      confirm: { type: 'boolean', summary: 'ask before each login, through SSH_ASKPASS' },
      forwarded: { type: 'boolean', summary: 'let hosts log in further by it (ssh -A); refused by default' },
      listen: { type: 'string', value: 'PATH', summary: "the agent's own socket", complete: 'file' },
      status: { type: 'boolean', summary: 'show what the running agent offers, and why something is not' },
      reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
      'id-token-file': {
        type: 'string',
        value: 'FILE',
        summary: 'a signed ID token, read at each issue; else WARDEN_ID_TOKEN',
        complete: 'file',
      },
    },
    notes: [
      'Keys are made here, and are never anywhere but in the memory of this process. A certificate is asked for at the first need, with every check and a ledger record, and renewed after two thirds of its life where it was used. It signs logins and nothing else.',
      'With a COMMAND: for as long as it runs, with SSH_AUTH_SOCK set. Without: until it is stopped; it prints SSH_AUTH_SOCK=… for a shell, and stays in the foreground. ssh-add -l, -L, -d, -D, -x and -X work; foreign keys are not taken.',
      '--status asks for what is missing, then tells: exit code 0 where everything is offered, 1 where something is not, 3 without an agent.',
    ],
    examples: [
      { run: 'warden agent --actor adm-example -- ssh bastion-1', says: 'one login, and nothing is left behind' },
      { run: 'warden agent --confirm', says: 'in a session or a user unit; ssh finds it by warden ssh-config' },
      { run: 'warden agent --status', says: 'until when, and why not' },
    ],
    load: () => import('./commands/agent.ts'),
  },
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
    load: () => import('./commands/fetch.ts'),
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
    load: () => import('./commands/exec.ts'),
  },
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
  {
    name: 'host-cert',
    summary: 'get a host certificate for sshd, over the host key of this machine',
    positionals: [{ name: 'HOST', required: true }],
    options: {
      pubkey: { ...PUBKEY, summary: 'the host key (- is stdin); /etc/ssh/ssh_host_ed25519_key.pub by default' },
      ttl: TTL,
      principal: {
        type: 'string',
        value: 'NAME',
        multiple: true,
        summary: "only these of the host's names; repeatable",
      },
      out: {
        type: 'string',
        short: 'o',
        value: 'FILE',
        summary: 'where to (- is stdout); beside the key by default',
        complete: 'file',
      },
      'if-expiring': {
        type: 'string',
        value: 'TIME',
        summary: 'do nothing while the present certificate lasts longer (7d, 12h)',
      },
      reason: { type: 'string', value: 'TEXT', summary: 'why, for the decision point and the ledger' },
      ticket: { type: 'string', value: 'ID', summary: 'a ticket, for the decision point and the ledger' },
    },
    notes: [
      'For hosts with a host_certificate in inventory.yaml, and for callers that its callers name.',
      'Then HostCertificate FILE in sshd_config; clients trust it with the lines of `warden known-hosts`.',
    ],
    examples: [
      { run: 'warden host-cert bastion-1', says: 'writes /etc/ssh/ssh_host_ed25519_key-cert.pub' },
      { run: 'warden host-cert bastion-1 --if-expiring 7d', says: 'for a timer' },
    ],
    load: () => online('hostCert'),
  },
  {
    name: 'ssh-config',
    summary: "make `ssh HOST` work by itself for the inventory's hosts: addresses, agent, host authorities",
    positionals: [],
    options: {
      write: { type: 'boolean', summary: 'write ~/.ssh/warden_config and include it at the top of ~/.ssh/config' },
      uninstall: { type: 'boolean', summary: 'take both away again; the rest of ~/.ssh/config stays byte for byte' },
      listen: {
        type: 'string',
        value: 'PATH',
        summary: "the agent's socket, where it is not the default",
        complete: 'file',
      },
    },
    notes: [
      'Without --write it prints the file. A second --write brings it up to date, and says where nothing changed.',
      'Where there is no certificate, `ssh HOST` says why before it goes on: the file has it ask `warden agent --status`.',
    ],
    examples: [
      { run: 'warden ssh-config', says: 'what would be written' },
      { run: 'warden ssh-config --write', says: 'then: ssh bastion-1' },
      { run: 'warden ssh-config --uninstall', says: 'as it was before' },
    ],
    load: () => online('sshConfig'),
  },
  {
    name: 'known-hosts',
    summary: 'print the @cert-authority lines by which ssh trusts the hosts of the inventory',
    positionals: [],
    options: {
      output: { type: 'string', short: 'o', value: 'FILE', summary: 'where to; stdout by default', complete: 'file' },
    },
    notes: ['One line for each authority key that is published, over the names of all hosts that have a certificate.'],
    examples: [{ run: 'warden known-hosts >> ~/.ssh/known_hosts', says: 'no more questions about host keys' }],
    load: () => online('knownHosts'),
  },
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
  {
    name: 'policy',
    summary: 'show the posture standard: tiers, maturity levels, data classes and the rule that joins them',
    positionals: [],
    options: { yaml: { type: 'boolean', summary: 'as security-posture.yaml, the descriptor itself' } },
    notes: ['What is shown is what wardend judges by; no config file changes it.'],
    examples: [{ run: 'warden policy', says: 'the standard as tables' }],
    load: () => offline('policy'),
  },
  {
    name: 'policy explain',
    summary: 'walk one case of the secret-flow lattice, clause by clause',
    positionals: [],
    options: {
      posture: { ...POSTURE, summary: 'of the environment that the workload runs in; required' },
      maturity: { ...MATURITY, summary: 'of the workload; required' },
      required: { ...MATURITY, summary: 'maturity that the secret requires; required' },
      class: { ...DATA_CLASS, summary: 'data class of the secret; required' },
    },
    notes: ['Exit code 0 where a real value may flow, 1 where it may not.'],
    examples: [
      {
        run: 'warden policy explain --posture prod --maturity M1 --required M1 --class confidential',
        says: 'which clause fails, and what it needed',
      },
    ],
    load: () => offline('policyExplain'),
  },
  {
    name: 'posture check',
    summary: 'judge a manifest of environments, workloads, secrets and flows by the posture standard',
    positionals: [{ name: 'MANIFEST', required: true, complete: 'file' }],
    options: {
      sarif: { type: 'boolean', summary: 'SARIF 2.1.0 on stdout' },
      junit: { type: 'boolean', summary: 'JUnit XML on stdout' },
      html: {
        type: 'string',
        value: 'FILE',
        summary: 'a page with the flow lattice drawn, beside the other output',
        complete: 'file',
      },
      live: {
        type: 'boolean',
        summary: 'ask the running daemon and its OpenBao too, with your own token, reading only',
      },
      environment: { type: 'string', value: 'ID', summary: 'with --live: the environment that the daemon serves' },
      ...DRILLS,
    },
    notes: [
      'Without --live reads the manifest (- is stdin) and nothing else. The manifest holds names; one that holds anything like a secret value is unusable, and what was found is told by its line only.',
      'Exit code 0 conforms, 1 with findings, 2 unusable.',
    ],
    examples: [
      { run: 'warden posture check posture.yaml', says: 'every finding with file, line and mend' },
      {
        run: 'warden posture check posture.yaml --sarif --html posture.html',
        says: 'for code scanning, and for people',
      },
    ],
    load: () => offline('postureCheck'),
  },
  {
    name: 'posture blocker',
    summary: 'classify a "blocked on security" by the five questions of the standard, and say what removes it',
    positionals: [],
    options: {
      posture: { ...POSTURE, summary: 'the posture of the work; without it, the questions are asked at the terminal' },
      maturity: { ...MATURITY, summary: 'of the workload' },
      required: { ...MATURITY, summary: 'maturity that the secret requires' },
      class: { ...DATA_CLASS, summary: 'data class of the secret' },
      route: { type: 'string', value: 'ROUTE', summary: 'the catalogued route, where there is one' },
      'exec-capable': { type: 'boolean', summary: 'its lane is exec-capable' },
      custody: {
        type: 'string',
        value: 'STATE',
        summary: 'unseal, break-glass and issuer custody: resolved (default) or unresolved',
        complete: ['resolved', 'unresolved'],
      },
    },
    notes: [
      'Exit code 0 whatever the class is: --json has it in class and blocks. What is not known is never taken for the better answer.',
    ],
    examples: [
      {
        run: 'warden posture blocker --posture prod --maturity M1 --required M2 --class internal',
        says: 'a real blocker, and the ways out of it',
      },
    ],
    load: () => offline('postureBlocker'),
  },
  {
    name: 'posture promote',
    summary: 'print and check the ceremony that takes a state folder one tier up, and put it on record',
    positionals: [{ name: 'MANIFEST', required: false, complete: 'file' }],
    options: {
      to: { type: 'string', value: 'POSTURE', summary: 'test or prod; required', complete: ['test', 'prod'] },
      environment: { type: 'string', value: 'ID', summary: 'the environment of the manifest that is promoted to' },
      'signed-off-by': { type: 'string', value: 'NAME', summary: 'the person who signs off' },
      reference: {
        type: 'string',
        value: 'DOCUMENT',
        multiple: true,
        summary: 'a document of the ceremony: its path, address or ticket; repeatable',
      },
      record: { type: 'boolean', summary: 'put the finished ceremony on record; a person at a terminal confirms it' },
      state: { ...STATE, summary: 'the state folder that is promoted' },
      ...DRILLS,
    },
    notes: [
      'The list: regenerated material, unseal model, break-glass, conformance, sign-off, documents. Only evidence is recorded: names, a digest of the manifest, who signed.',
      'A daemon refuses to start under another posture than its state folder is of, until a finished record is there.',
      'Exit code 0 every step holds, 1 some do not, 2 unusable.',
    ],
    examples: [
      { run: 'warden posture promote --to prod', says: 'the list' },
      {
        run: 'warden posture promote --to prod posture.yaml --signed-off-by "A. Steward" --reference docs/unseal-custody.md --record',
        says: 'checked, signed and recorded',
      },
    ],
    load: () => offline('posturePromote'),
  },
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
      'As you: with BAO_TOKEN (set but empty means none), VAULT_TOKEN, else ~/.vault-token. Roles permit what the actors of inventory.yaml need and no more; run it again when they change.',
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
  {
    name: 'mcp',
    summary: 'serve list_routes, explain, sign_certificate and exec_with_secrets to an agent over stdin and stdout',
    positionals: [],
    options: {
      actor: {
        type: 'string',
        value: 'ACTOR',
        summary: 'for whom, where a call does not say; else the one actor that admits you',
        complete: 'actor',
      },
    },
    notes: [
      'A Model Context Protocol server: an MCP client starts it, and asks the daemon as the process that it is. No tool ever answers with a value.',
      'Commands run in the folder that the server was started in, without a terminal, and always masked.',
    ],
    examples: [{ run: 'warden mcp --actor agt-example', says: 'in the configuration of an MCP client: docs/mcp.md' }],
    load: () => import('./commands/mcp.ts'),
  },
  {
    name: 'demo',
    summary: 'show it all in half a minute in a temporary folder: daemon, certificate, ssh login, refusals, ledger',
    positionals: [],
    options: {},
    notes: ['Leaves nothing behind. What this machine lacks is left out with a line that says so.'],
    examples: [{ run: 'warden demo', says: 'from nothing to a real login' }],
    load: () => online('demo'),
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    positionals: [{ name: 'SHELL', required: true, complete: ['bash', 'zsh', 'fish'] }],
    options: {},
    notes: ['Actors are completed by asking the daemon.'],
    examples: [
      { run: 'source <(warden completion bash)', says: 'in ~/.bashrc' },
      { run: 'warden completion fish > ~/.config/fish/completions/warden.fish', says: 'for fish' },
    ],
    load: () => online('completion'),
  },
  {
    name: 'version',
    summary: 'print the version of this client',
    positionals: [],
    options: {},
    notes: [],
    examples: [],
    load: () => online('version'),
  },
  {
    name: 'help',
    summary: 'show what a command does and takes',
    positionals: [
      { name: 'COMMAND', required: false, complete: 'command' },
      { name: 'SUBCOMMAND', required: false },
    ],
    options: { markdown: { type: 'boolean', summary: 'everything as Markdown, which is docs/cli.md' } },
    notes: [],
    examples: [{ run: 'warden help ledger query', says: 'one command in full' }],
    load: () => online('help'),
  },
];
