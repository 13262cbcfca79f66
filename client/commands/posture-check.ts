import manifestOfPackage from '../../package.json' with { type: 'json' };
import { type Check, findingsOf } from '../../src/posture/check.ts';
import { checkConformance } from '../../src/posture/conformance.ts';
import type { DrillRules } from '../../src/posture/environment-checks.ts';
import { checkLive } from '../../src/posture/live.ts';
import type { Manifest } from '../../src/posture/manifest.ts';
import { postureJson } from '../../src/posture/report/json.ts';
import { postureJunit } from '../../src/posture/report/junit.ts';
import { posturePage } from '../../src/posture/report/page.ts';
import { exitOf, type PlacedCheck, type PostureReport } from '../../src/posture/report/report.ts';
import { postureSarif } from '../../src/posture/report/sarif.ts';
import { usageError } from '../args.ts';
import { writeAtomically } from '../atomic-file.ts';
import type { Invocation } from '../invocation.ts';
import { counted, type Output, toJson } from '../output.ts';
import { drillRules, loadManifest } from '../posture-manifest.ts';

/** Judges a manifest and changes nothing: 0 conforms, 1 findings, 2 unusable. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const forms = ['json', 'sarif', 'junit'].filter((form) => args.flag(form));
  if (forms.length > 1) throw usageError(`--${forms.join(' and --')} exclude each other`, 'ask for one of them');
  if (args.string('environment') !== undefined && !args.flag('live')) {
    throw usageError('--environment says which one --live looks at', 'add --live');
  }
  const page = args.string('html');
  const report = await judge(args.positional(0), drillRules(args), invocation);
  if (page !== undefined) {
    writeAtomically({ path: page, bytes: posturePage(report), mode: 0o644, replace: true, durable: false });
  }
  if (args.flag('sarif')) out.raw(`${toJson(postureSarif(report))}\n`);
  else if (args.flag('junit')) out.raw(postureJunit(report));
  else if (out.json) out.object(postureJson(report));
  else {
    print(report, out);
    if (page !== undefined) out.note(`page in ${page}`);
  }
  return exitOf(report);
}

async function judge(file: string, drills: DrillRules, invocation: Invocation): Promise<PostureReport> {
  const { read } = loadManifest(file);
  const head = { file, now: drills.now, version: manifestOfPackage.version };
  if (read.manifest === null) return { ...head, judged: null, problems: read.problems };
  const { manifest, placeOf } = read;
  const { checks, flows } = checkConformance(manifest, drills);
  const live = invocation.args.flag('live') ? await judgeLive(manifest, invocation) : [];
  const placed = [...checks, ...live].map((check): PlacedCheck => ({ ...check, ...placeOf(check.path) }));
  const conforms = placed.every(({ held }) => held);
  return { ...head, judged: { manifest, conforms, checks: placed, flows }, problems: [] };
}

async function judgeLive(manifest: Manifest, invocation: Invocation): Promise<readonly Check[]> {
  const { liveEnvironment, liveFacts } = await import('../posture-live.ts');
  const facts = await liveFacts(invocation);
  const named = invocation.args.string('environment');
  const { environment, index } = liveEnvironment(manifest.environments, facts.posture, named);
  return checkLive(environment, index, facts);
}

function print({ file, judged, problems }: PostureReport, out: Output): void {
  const name = file === '-' ? 'stdin' : file;
  if (judged === null) {
    for (const { line, column, message, hint } of problems) {
      out.line({ text: line === 0 ? `${name}:` : `${name}:${line}:${column}:`, style: 'bold' }, ` ${message}`);
      out.line(`  write: ${hint}`);
    }
    out.note({ text: 'unusable', style: 'red' }, `: ${counted(problems.length, 'problem')}, nothing was judged`);
    return;
  }
  const findings = findingsOf(judged.checks) as readonly PlacedCheck[];
  for (const { rule, about, line, column, message, mend } of findings) {
    out.line(
      { text: `${name}:${line}:${column}:`, style: 'bold' },
      ' ',
      { text: 'error', style: 'red' },
      ` ${rule} ${about}: ${message}`,
    );
    out.line(`  do: ${mend}`);
  }
  const { environments, secrets, flows } = judged.manifest;
  const size = [
    counted(environments.length, 'environment'),
    counted(secrets.length, 'secret'),
    counted(flows.length, 'flow'),
  ].join(', ');
  if (findings.length === 0)
    out.note({ text: 'conforms', style: 'green' }, `: ${judged.checks.length} checks, ${size}`);
  else out.note(`${counted(findings.length, 'finding')} in ${judged.checks.length} checks: ${size}`);
}
