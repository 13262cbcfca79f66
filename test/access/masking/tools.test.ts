import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { masked, values } from './support.ts';

const LONG = `correct-horse/battery's "staple" + 100% <&> of $HOME \\ ${'and much more, '.repeat(6)}end`;
const SHORT = "it's-a-horse/100%";
const KEY = ['-----BEGIN TEST KEY-----', 'MC4CAQAwBQYDK2VwBCIEIB/x+yz0123456789', '-----END TEST KEY-----'].join('\n');
/** Of each of them, in what the tools make of it. */
const PIECES = /horse|battery|staple|VwBCI|Y29ycmVjd|aXQncy1h|LS0tLS1C|636f7272|697427|2d2d2d2d/;

const FOUND: readonly [string, string][] = [
  ['printenv', 'printenv VALUE'],
  ['base64, whose lines are 76 long', 'base64'],
  ['base64 in lines of 64, as openssl and PEM have it', 'base64 -w64'],
  ['base64 of a name and the value', 'printf "user: %s" "$VALUE" | base64 -w0'],
  ['a trace of a shell', 'set -x; : "$VALUE"'],
  ['declare', 'declare -p VALUE'],
  ['hex in one line', 'od -An -v -tx1 | tr -d " \\n"'],
  ['hex in lines of 60, as xxd -p has it', 'od -An -v -tx1 | tr -d " \\n" | fold -w60'],
  ['the value in lines of 20', 'fold -w20'],
];
// docs/exec.md says so of them.
const NOT_FOUND: readonly [string, string][] = [
  ['bytes with blanks between them', 'od -An -v -tx1'],
  ['bytes beside their addresses, as xxd and hexdump -C have them', 'od -v -tx1z'],
  ['characters with blanks between them', 'od -An -c'],
  ['a value that is turned round', 'rev'],
];

/** What each tool writes, by one shell for all. */
function outputsOf(tools: readonly [string, string][], value: string): string[] {
  const script = tools.map(([, tool]) => `printf %s "$VALUE" | (${tool}) 2>&1; printf '\\n<>\\n'`).join('\n');
  const env = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', VALUE: value };
  const { stdout } = spawnSync('bash', ['-c', script], { env, encoding: 'latin1' });
  const outputs = stdout.split('\n<>\n').slice(0, -1);
  expect(outputs).toHaveLength(tools.length);
  return outputs;
}

it('what tools of a shell show of a value by accident is masked', () => {
  for (const value of [LONG, SHORT, KEY]) {
    for (const [at, output] of outputsOf(FOUND, value).entries()) {
      expect(output, FOUND[at]?.[0]).toMatch(PIECES);
      const shown = masked(values(value), Buffer.from(output, 'latin1'));
      expect(shown, FOUND[at]?.[0]).toContain('[masked:r0]');
      expect(shown, FOUND[at]?.[0]).not.toMatch(PIECES);
    }
  }
});

it('what tools take to pieces is not', () => {
  for (const [at, output] of outputsOf(NOT_FOUND, SHORT).entries()) {
    expect(output.length, NOT_FOUND[at]?.[0]).toBeGreaterThanOrEqual(SHORT.length);
    expect(masked(values(SHORT), Buffer.from(output, 'latin1')), NOT_FOUND[at]?.[0]).not.toContain('[masked:');
  }
});
