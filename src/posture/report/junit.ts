import { RULES } from '../rules.ts';
import { escapeMarkup } from './escape.ts';
import type { PlacedCheck, PostureReport } from './report.ts';

/** The report as JUnit XML: one suite for each thing that was judged, one case a check, held ones too. */
export function postureJunit({ file, now, judged, problems }: PostureReport): string {
  const at = new Date(now).toISOString().slice(0, 19);
  const suites: string[] = [];
  const checks = judged?.checks ?? [];
  const abouts = [...new Set(checks.map(({ about }) => about))];
  for (const about of abouts) {
    const cases = checks.filter((check) => check.about === about);
    const failures = cases.filter(({ held }) => !held).length;
    suites.push(
      `  <testsuite${attributes({ name: about, tests: cases.length, failures, errors: 0, skipped: 0, timestamp: at })}>`,
      ...cases.flatMap((check) => testCase(check, file)),
      '  </testsuite>',
    );
  }
  if (problems.length > 0) {
    const counts = { tests: problems.length, failures: 0, errors: problems.length, skipped: 0 };
    suites.push(
      `  <testsuite${attributes({ name: file, ...counts, timestamp: at })}>`,
      ...problems.flatMap(({ line, column, message, hint }) => [
        `    <testcase${attributes({ classname: file, name: `line ${line}, column ${column}`, file, line, time: 0 })}>`,
        `      <error${attributes({ type: 'manifest_unusable', message })}>${escapeMarkup(`write: ${hint}`)}</error>`,
        '    </testcase>',
      ]),
      '  </testsuite>',
    );
  }
  const failures = checks.filter(({ held }) => !held).length;
  const total = { tests: checks.length + problems.length, failures, errors: problems.length, time: 0 };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'warden posture check', ...total })}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase({ rule, about, line, column, held, message, mend }: PlacedCheck, file: string): string[] {
  const head = `    <testcase${attributes({ classname: about, name: RULES[rule], file, line, time: 0 })}`;
  if (held) return [`${head}/>`];
  const body = escapeMarkup(`${file}:${line}:${column}: ${message}\ndo: ${mend}`);
  return [`${head}>`, `      <failure${attributes({ type: rule, message })}>${body}</failure>`, '    </testcase>'];
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeMarkup(String(value))}"`)
    .join('');
}
