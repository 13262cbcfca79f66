import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { execStream, execTrue } from './exec.ts';
import { fairness } from './fairness.ts';
import { gateCached, gateUncached, reload10k } from './gate.ts';
import { maskThroughput, maskThroughputPem } from './masking.ts';
import { fetchFloor, fetchValue, openbaoSign, wardenFetchWall } from './openbao.ts';
import { certsOverSshKeygen, latencyOverEcho, manyActors, throughputOverEcho } from './signing.ts';
import { coldStart, idleRss, wardenSignWall } from './startup.ts';
import { measure, type Result } from './stats.ts';

const ALL = [
  throughputOverEcho,
  latencyOverEcho,
  certsOverSshKeygen,
  wardenSignWall,
  gateCached,
  gateUncached,
  reload10k,
  manyActors,
  openbaoSign,
  fetchValue,
  fetchFloor,
  wardenFetchWall,
  execTrue,
  execStream,
  maskThroughput,
  maskThroughputPem,
  coldStart,
  idleRss,
  fairness,
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, pairs: { type: 'string', default: '5' } },
});
const unknown = positionals.filter((name) => !ALL.some((benchmark) => benchmark.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `unknown: ${unknown.join(', ')}. There are: ${ALL.map((benchmark) => benchmark.name).join(', ')}\n`,
  );
  process.exit(2);
}
const pairs = Math.max(5, Number(values.pairs));
const chosen = positionals.length === 0 ? ALL : ALL.filter((benchmark) => positionals.includes(benchmark.name));
const results: Result[] = [];
process.stdout.write('name                          ratio     low    high  aim       ours / baseline\n');
for (const benchmark of chosen) {
  const { result, notes } = await measure(benchmark, pairs);
  results.push(result);
  const { ours, baseline } = result;
  const figures = `${ours.median.toFixed(2)} ${ours.unit} / ${baseline.median.toFixed(2)} ${baseline.unit} (${baseline.name})`;
  const ratios = [result.ratio, result.low, result.high].map((value) => value.toFixed(2).padStart(7)).join(' ');
  process.stdout.write(
    `${result.name.padEnd(27)} ${ratios}  ${benchmark.aim.padEnd(8)}  ${figures}${notes === '' ? '' : ` ${notes}`}\n`,
  );
}
if (values.json !== undefined) {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  writeFileSync(
    values.json,
    `${JSON.stringify({ commit, node: process.version, cpus: cpus().length, results }, null, 2)}\n`,
  );
}
