import type { CheckReport, Finding } from '../inventory/finding.ts';
import { asWardenError } from '../kernel/errors.ts';
import type { RegistrySnapshot } from '../policy/registry-snapshot.ts';
import { type DriftInput, registryDrift } from './drift.ts';
import { parseRegistry } from './parse.ts';
import { formatRegistry } from './snapshot.ts';

/**
 * `warden registry check`: is this text a registry, in the bytes of the contract, and does it say what the
 * inventory (and the catalogue of routes) says? Exit 2 where it is no registry at all, 1 with findings, 0 without.
 */
export function checkRegistryFile(content: string, input: DriftInput): CheckReport {
  let registry: RegistrySnapshot;
  try {
    registry = parseRegistry(content);
  } catch (thrown) {
    const error = asWardenError(thrown);
    return {
      exit: 2,
      findings: [{ severity: 'error', rule: 'registry_unusable', about: '', message: error.message, mend: error.hint }],
    };
  }
  const findings: Finding[] = registryDrift(registry, input);
  if (content !== formatRegistry(registry)) {
    findings.push({
      severity: 'warning',
      rule: 'registry_not_canonical',
      about: '',
      message: 'the file is not in the form that `warden registry build` writes (order, indentation, line ends)',
      mend: 'build it again instead of editing it: two builds of one inventory then compare byte by byte',
    });
  }
  return { exit: findings.length === 0 ? 0 : 1, findings };
}
