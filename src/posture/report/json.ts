import { findingsOf } from '../check.ts';
import type { Verdict } from '../lattice.ts';
import type { PlacedCheck, PostureReport } from './report.ts';

/** The object of --json. */
export function postureJson(report: PostureReport): Record<string, unknown> {
  const { file, now, judged, problems } = report;
  const head = {
    conforms: judged?.conforms ?? false,
    usable: judged !== null,
    file,
    judged_at: new Date(now).toISOString(),
  };
  if (judged === null) return { ...head, problems };
  return {
    ...head,
    findings: findingsOf(judged.checks).map((check) => findingJson(check as PlacedCheck)),
    flows: judged.flows.map(({ secret, workload, release, deliver, conforms }) => ({
      secret,
      workload,
      conforms,
      release: verdictJson(release),
      deliver: verdictJson(deliver),
    })),
    checks: judged.checks.map(({ rule, about, held }) => ({ rule, about, held })),
  };
}

export function verdictJson(verdict: Verdict | null): Record<string, unknown> | null {
  return verdict === null ? null : { permitted: verdict.permitted, clauses: verdict.clauses };
}

function findingJson({ rule, about, line, column, message, mend }: PlacedCheck): Record<string, unknown> {
  return { severity: 'error', rule, about, line, column, message, mend };
}
