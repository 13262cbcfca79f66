import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../client/commands.ts';
import { type AnyonesPrograms, anyonesPrograms } from '../support/anyones-programs.ts';
import { Reader } from './reader.ts';
import type { Shell } from './shell.ts';

const EXAMPLE = fileURLToPath(new URL('../../examples/posture-conformance.example.yaml', import.meta.url));

/** Commands whose examples want a world of their own: the tests that have it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  access: 'test/openbao',
  fetch: 'test/openbao',
  exec: 'test/exec',
  'explain exec': 'test/exec',
  'explain fetch': 'test/access',
  'openbao setup': 'test/openbao',
  agent: 'test/agent',
  'ssh-config': 'test/agent/ssh-config.test.ts',
  mcp: 'test/mcp, by a client of the protocol',
  'double materialize': 'test/doubles',
  'ca roll': 'test/revocation/ca-roll.test.ts',
  'host-cert': 'test/revocation/host-cert.test.ts',
  'known-hosts': 'test/revocation/host-cert.test.ts',
  'posture promote': 'test/posture/promote.test.ts, at a terminal',
  install: 'test/systemd, on a booted machine',
  demo: 'test/cli/demo.test.ts',
};

interface Row {
  readonly run: string;
  /** Instead of the example, where it goes on until it is stopped, wants a terminal, or names a place of the system's. */
  readonly typed?: (run: string) => string;
  readonly code?: number;
  readonly prints: RegExp;
}

/** Lets it run in the background until it has printed something, and ends it. */
const untilItPrints = (run: string): string =>
  `rm -f seen; ${run} > seen & while kill -0 $! && [ ! -s seen ]; do sleep 0.1; done; kill $!; wait $!; head -1 seen`;
const atTerminal = (run: string): string => `script -qec '${run}' /dev/null | tr -d '\\r'`;

/** In the order of help; each finds what the ones before it made. */
const ROWS: readonly Row[] = [
  { run: 'warden init --posture dev', prints: /^wrote .*\/\.config\/warden \(posture dev\)\n/ },
  { run: 'warden sign adm-example', prints: /^certificate .*\/\.ssh\/id_ed25519-cert\.pub\n/ },
  { run: 'warden sign agt-ci --pubkey ci.pub --ttl 15m', prints: /^certificate ci-cert\.pub\n {2}for agt-ci · 15m, / },
  { run: 'warden sign atm-backup --pubkey backup.pub --if-expiring 1h', prints: /^certificate backup-cert\.pub\n/ },
  {
    run: 'ssh-add -L | head -1 | warden sign adm-example --pubkey - > cert.pub',
    typed: (run) => `${run}; ssh-keygen -L -f cert.pub`,
    prints: /Key ID: "synthetic-adm-example\//,
  },
  {
    run: 'warden issue agt-ci --ttl 1h --agent',
    typed: (run) => `${run}; ssh-add -l`,
    prints: /^certificate .*\n(?:.*\n)*256 SHA256:\S+ .* \(ED25519-CERT\)\n/,
  },
  {
    run: 'warden issue atm-backup --out backup_key',
    typed: (run) => `${run} && ls backup_key*`,
    prints: /\nbackup_key\nbackup_key-cert\.pub\nbackup_key\.pub\n$/,
  },
  { run: 'warden ca', prints: /\nssh-ed25519 (?:.*\n)+TrustedUserCAKeys .*\nAuthorizedPrincipalsFile .*\n/ },
  { run: 'warden actors', prints: /\nadm-example .*\nagt-ci .*\natm-backup / },
  { run: 'warden status --watch', typed: untilItPrints, prints: /^wardend \d/ },
  { run: 'warden status --watch --json', typed: untilItPrints, prints: /^\{"version":.*\}\n$/ },
  { run: 'warden doctor', prints: /^ {2}ok +daemon +(?:.*\n)+healthy(?:; \d+ could not be looked at)?\n$/ },
  { run: 'warden doctor --json --quiet', prints: /^\{"healthy":true,.*\}\n$/ },
  { run: 'warden explain sign agt-ci --ttl 48h', code: 1, prints: /\n {2}NO {2}ceiling .*\n {8}needed: at most 8h\n/ },
  { run: 'warden explain ttl_out_of_bounds', prints: /^ttl_out_of_bounds \(refused\)\n/ },
  {
    run: 'warden ledger verify --state /var/lib/warden',
    typed: (run) => run.replace('/var/lib/warden', '~/.local/state/warden'),
    prints: /^whole: /,
  },
  { run: 'warden ledger tail --follow', typed: untilItPrints, prints: /^ +1 .* start ok\n$/ },
  {
    run: 'warden ledger query --actor agt-ci --outcome refused --since 7d',
    typed: (run) => `warden sign agt-ci --pubkey ci.pub --ttl 48h > refused 2>&1; ${run}`,
    prints: /^ +\d+ .* sign refused agt-ci · ttl_out_of_bounds /,
  },
  {
    run: 'warden ledger query --serial 1234 --json',
    typed: (run) =>
      run.replace('1234', '$(warden sign adm-example --json | grep -o \'"serial":"[0-9]*\' | tr -dc 0-9)'),
    prints: /^\{"v":1,.*"kind":"sign".*\}\n$/,
  },
  {
    run: 'warden ledger export --since 30d --out june.jsonl',
    typed: (run) => `${run} && head -1 june.jsonl`,
    prints: /\{"v":1,"seq":1,.*"kind":"start".*\}\n$/,
  },
  { run: 'warden check --config /etc/warden', typed: (run) => run.replace('/etc', '~/.config'), prints: /conforms/ },
  { run: 'warden reload', prints: /^nothing changed; generation \d+ stays\n$/ },
  {
    run: 'warden break-glass --reason "flex-auth down, INC-7" --for 30m',
    typed: atTerminal,
    prints: /^break-glass is open until /,
  },
  { run: 'warden revoke --actor agt-ci --dry-run', prints: /^would revoke \d+ certificates? still valid\n/ },
  {
    run: 'warden revoke --actor agt-ci --reason "laptop stolen, INC-9"',
    typed: (run) => `${run}; warden sign agt-ci --pubkey ci.pub 2>&1 | grep why`,
    prints: /^revoked \d+ certificates? still valid · ledger \d+\n(?:.*\n)+ {2}why: actor_revoked /,
  },
  { run: 'warden revoke --lift --actor agt-ci', prints: /^lifted · ledger \d+\n$/ },
  {
    run: 'warden krl -o revoked.krl',
    typed: (run) => `${run} && ssh-keygen -Q -l -f revoked.krl`,
    prints: /# KRL version/,
  },
  { run: 'warden krl --push --login root', prints: /^ {2}the inventory has no hosts\n$/ },
  {
    run: 'warden lockdown --reason "agent host compromised, INC-9"',
    typed: (run) => `${run}; warden sign adm-example 2>&1 | grep why`,
    prints: /^locked down since (?:.*\n)+ {2}why: locked_down /,
  },
  { run: 'warden lockdown --lift', prints: /^the lockdown is lifted · ledger \d+\n$/ },
  {
    run: 'warden registry build --out registry_snapshot.json',
    prints: /^registry_snapshot\.json: 3 actors, 6 subjects/,
  },
  { run: 'warden registry check registry_snapshot.json', prints: /^conforms\n$/ },
  {
    run: 'warden inventory scorecard',
    code: 1,
    prints: /^warning forwarding_without_source_address adm-example: .*\n {2}do: /,
  },
  { run: 'warden smoke policy --actor agt-ci --evidence smoke.jsonl', prints: /\nas expected: one allow, one deny\n$/ },
  { run: 'warden policy', prints: /M0.*\n/ },
  {
    run: 'warden policy explain --posture prod --maturity M1 --required M1 --class confidential',
    code: 1,
    prints: /M2/,
  },
  { run: 'warden posture check posture.yaml', prints: /conforms/ },
  {
    run: 'warden posture check posture.yaml --sarif --html posture.html',
    typed: (run) => `${run} && head -c 15 posture.html`,
    prints: /"version": ?"2\.1\.0"(?:.*\n)*<!doctype html>/i,
  },
  {
    run: 'warden posture blocker --posture prod --maturity M1 --required M2 --class internal',
    prints: /blocker/i,
  },
  {
    run: 'warden double flex-auth --registry registry_snapshot.json',
    typed: (run) => untilItPrints(`${run} --addr unix://$HOME/double.sock`),
    prints: /^flex-auth double \(synthetic\) on unix:/,
  },
  {
    run: 'source <(warden completion bash)',
    typed: (run) => `${run}; complete -p warden`,
    prints: /^complete .*-F _warden warden\n$/,
  },
  {
    run: 'warden completion fish > ~/.config/fish/completions/warden.fish',
    typed: (run) =>
      `mkdir -p ~/.config/fish/completions; ${run}; grep -c complete ~/.config/fish/completions/warden.fish`,
    prints: /^[1-9]\d*\n$/,
  },
  { run: 'warden help ledger query', prints: /^warden ledger query: find records\n/ },
  {
    run: 'warden ledger accept --reason "restored from the backup of 1 June"',
    typed: (run) => `kill $DAEMON; wait $DAEMON; sed -i '$d' ~/.local/state/warden/signatures.log; ${run}`,
    prints: /^accepted: signatures\.log: the tail is cut: (?:.*\n)+record \d+ says so; wardend starts again\n$/,
  },
];

test('every example of help has a row here, or a test that has its world', () => {
  const shown = COMMANDS.filter(({ name }) => !Object.hasOwn(ELSEWHERE, name)).flatMap(({ examples }) =>
    examples.map(({ run }) => run),
  );
  expect(ROWS.map(({ run }) => run).sort()).toEqual(shown.sort());
});

describe.runIf(process.getuid?.() === 0)('someone who types the examples of help (needs root, to make a user)', () => {
  let programs: AnyonesPrograms;
  let reader: Reader;
  let shell: Shell;
  beforeAll(() => {
    programs = anyonesPrograms();
    reader = new Reader();
    shell = reader.shell(programs.bin);
    copyFileSync(EXAMPLE, reader.file('posture.yaml', ''));
  });
  afterAll(async () => {
    await reader?.leave();
    programs?.remove();
  });

  /** The actors that help speaks of, behind a gate: the dev posture brings its own decision point. */
  async function world(): Promise<void> {
    const actor = (name: string, type: string): string =>
      `  - { name: ${name}, type: ${type}, principals: [${name}], ttl_hours: 2, max_ttl_hours: 8, callers: [{ uid: ${reader.uid} }] }`;
    const actors = [actor('adm-example', 'adm'), actor('agt-ci', 'agt'), actor('atm-backup', 'atm')];
    reader.file('.config/warden/inventory.yaml', `version: 1\nactors:\n${actors.join('\n')}\n`);
    const policy = `policy: { enabled: true, break_glass: { callers: [{ uid: ${reader.uid} }], max: 1h } }`;
    reader.file('.config/warden/warden.yaml', `version: 1\nposture: dev\nca: { key: ca_ed25519 }\n${policy}\n`);
    for (const command of [
      "mkdir -m 700 .ssh; for key in .ssh/id_ed25519 ci backup; do ssh-keygen -q -t ed25519 -N '' -f $key; done",
      // Not as a daemon of its own: it ends with the shell.
      'export SSH_AUTH_SOCK=$HOME/agent.sock; ssh-agent -D -a $SSH_AUTH_SOCK > agent.log & ',
      'until ssh-add .ssh/id_ed25519 2> /dev/null; do sleep 0.1; done',
      'wardend 2> wardend.log & DAEMON=$!',
      'until warden status > /dev/null 2>&1; do sleep 0.1; done',
    ]) {
      expect(await shell.run(command)).toMatchObject({ code: 0 });
    }
  }

  test.each(ROWS)('$ $run', async ({ run, typed = (text) => text, code = 0, prints }) => {
    const ran = await shell.run(typed(run));
    expect(ran.output).toMatch(prints);
    expect(ran.code).toBe(code);
    if (run.startsWith('warden init')) await world();
  });
});
