import { pathToFileURL } from 'node:url';
import { RULE_IDS, RULES } from '../rules.ts';
import { exitOf, type Placed, type PlacedCheck, type PostureReport } from './report.ts';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json';
const UNUSABLE = 'manifest_unusable';

/** The report as SARIF 2.1.0: one run, one result a finding; an unusable manifest is results of a rule of its own. */
export function postureSarif(report: PostureReport): Record<string, unknown> {
  const { file, now, version, judged, problems } = report;
  const ids = [...RULE_IDS, UNUSABLE];
  const rules = ids.map((id) => ({
    id,
    shortDescription: { text: upper(id === UNUSABLE ? 'the manifest can be judged' : RULES[id as keyof typeof RULES]) },
    defaultConfiguration: { level: 'error' },
  }));
  const result = (ruleId: string, text: string, about: string | null, place: Placed): Record<string, unknown> => ({
    ruleId,
    ruleIndex: ids.indexOf(ruleId),
    level: 'error',
    kind: 'fail',
    message: { text },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file) },
          ...(place.line > 0 && { region: { startLine: place.line, startColumn: place.column } }),
        },
        ...(about !== null && { logicalLocations: [{ fullyQualifiedName: about }] }),
      },
    ],
  });
  const findings = (judged?.checks ?? []).filter(({ held }) => !held);
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'warden posture check', semanticVersion: version, rules } },
        columnKind: 'utf16CodeUnits',
        invocations: [
          { executionSuccessful: judged !== null, exitCode: exitOf(report), endTimeUtc: new Date(now).toISOString() },
        ],
        results: [
          ...findings.map((check: PlacedCheck) =>
            result(
              check.rule,
              `${upper(`${check.about}: ${check.message}`)}. To do: ${check.mend}.`,
              check.about,
              check,
            ),
          ),
          ...problems.map((problem) =>
            result(UNUSABLE, `${upper(problem.message)}. To do: ${problem.hint}.`, null, problem),
          ),
        ],
      },
    ],
  };
}

/** Relative where the user named it so: viewers resolve it against the repository. */
function uriOf(file: string): string {
  if (file === '-') return 'stdin';
  if (file.startsWith('/')) return pathToFileURL(file).href;
  return file.split('/').map(encodeURIComponent).join('/');
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
