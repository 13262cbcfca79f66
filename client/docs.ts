import { type CommandSpec, GLOBAL_OPTIONS, type OptionSpec } from './command-spec.ts';
import { optionHead, usageOf } from './help.ts';

/** docs/cli.md: everything the table of commands says, and what holds for all of them. */
export function cliPage(commands: readonly CommandSpec[]): string {
  return `${[...HEAD, ...optionTable(GLOBAL_OPTIONS), ...commands.flatMap(section)].join('\n')}\n`;
}

const HEAD = [
  '# The command line',
  '',
  '<!-- Written from client/table/ by `npm run generate:docs`; a test keeps it equal. -->',
  '',
  '`warden` asks the local `wardend` over its Unix socket. Without `--socket` and `WARDEN_SOCKET` it tries the socket of',
  "the user, then the system's. Results go to stdout, errors to stderr in three lines at most; with `--json` both are JSON",
  'on stdout, one object (`ledger query`, `ledger tail`, `status --watch` and `smoke policy`: one object a line).',
  '',
  '| Exit code | Means |',
  '| --- | --- |',
  '| 0 | done |',
  '| 1 | refused, or findings |',
  '| 2 | usage, bad input or config |',
  '| 3 | daemon unreachable, no permission on its socket included |',
  '| 4 | an outside system or the ledger is unavailable, a closed gate included |',
  '| 5 | internal |',
  '',
  'Checkers (`check`, `registry check`, `inventory scorecard`, `ledger verify`, `smoke policy`): 0 conforms, 1 findings, 2 unusable.',
  '',
  '```',
  'warden: refused: 999h is above the maximum of 8h for agt-ci',
  '  why: ttl_out_of_bounds · decision decision:873c6c682a52bebc · ledger 42 · request 0190…',
  '  do: ask for at most 8h',
  '```',
  '',
  'The same with `--json`, unknown fields left out:',
  '',
  '```json',
  '{"error":{"kind":"refused","reason":"ttl_out_of_bounds","message":"…","hint":"…","decision_id":"…","ledger_seq":42,"request_id":"…"}}',
  '```',
  '',
  '`warden explain CODE` prints the page on a reason code.',
  '',
  '| Environment | Means |',
  '| --- | --- |',
  '| `WARDEN_SOCKET` | the socket of the daemon, as `--socket` |',
  '| `WARDEN_POLICY_SUBJECT` | the subject that the decision point is asked about; must be among the allowed subjects of the actor |',
  '| `WARDEN_ID_TOKEN` | a signed ID token, as `--id-token-file` |',
  '| `SSH_AUTH_SOCK` | the ssh-agent of `issue --agent`, and of `sign` where there is no key file |',
  '| `TRACEPARENT` | the trace that the command is part of, as the W3C writes it; what is not valid is ignored |',
  '| `NO_COLOR` | no colour; there is none off a terminal anyway |',
  '| `WARDEN_DEBUG` | the stack of an error, for a report |',
  '',
  '## Options of every command',
  '',
];

function section(command: CommandSpec): string[] {
  const options = Object.keys(command.options).length > 0 ? ['', ...optionTable(command.options)] : [];
  const notes = command.notes.flatMap((note) => ['', note]);
  const examples = command.examples.flatMap(({ run, says }) => [`# ${says}`, run]);
  return [
    '',
    `## warden ${command.name}`,
    '',
    `${command.summary[0]?.toUpperCase()}${command.summary.slice(1)}.`,
    '',
    `    ${usageOf(command)}`,
    ...options,
    ...notes,
    ...(examples.length > 0 ? ['', '```sh', ...examples, '```'] : []),
  ];
}

function optionTable(options: Readonly<Record<string, OptionSpec>>): string[] {
  const rows = Object.entries(options).map(
    ([name, option]) => `| \`${optionHead(name, option)}\` | ${option.summary} |`,
  );
  return ['| Option | Means |', '| --- | --- |', ...rows];
}
