import type { CheckReport, Finding } from '../src/inventory/finding.ts';
import type { Output } from './output.ts';

/** Prints what a checker found and gives its exit code. */
export function reportFindings({ findings, exit }: CheckReport, out: Output): number {
  if (out.json) out.object({ conforms: exit === 0, findings });
  else {
    for (const finding of findings) printFinding(finding, out);
    const errors = findings.filter(({ severity }) => severity === 'error').length;
    if (findings.length === 0) out.note({ text: 'conforms', style: 'green' });
    else out.note(`${errors} errors, ${findings.length - errors} warnings`);
  }
  return exit;
}

function printFinding({ severity, rule, about, message, mend }: Finding, out: Output): void {
  const style = severity === 'error' ? 'red' : 'yellow';
  out.line({ text: severity, style }, ` ${rule}${about === '' ? '' : ` ${about}`}: ${message}`);
  out.line(`  do: ${mend}`);
}
