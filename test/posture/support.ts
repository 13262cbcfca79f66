import { readFileSync } from 'node:fs';
import { readPostureManifest } from '../../src/config/posture-manifest.ts';
import type { Check, Conformance } from '../../src/posture/check.ts';
import { checkConformance, DRILL_AGES } from '../../src/posture/conformance.ts';
import type { Manifest } from '../../src/posture/manifest.ts';

export const EXAMPLE = readFileSync(
  new URL('../../examples/posture-conformance.example.yaml', import.meta.url),
  'utf8',
);

/** The day that the tests judge at. */
export const NOW = Date.parse('2026-11-01T12:00:00Z');

/** Reads a manifest that is meant to be usable. */
export function manifestOf(text: string): Manifest {
  const read = readPostureManifest('posture.yaml', Buffer.from(text));
  if (read.manifest === null) throw new Error(`unusable: ${JSON.stringify(read.problems)}`);
  return read.manifest;
}

/** The example with pieces of its text replaced, each of which must be there. */
export function example(...changes: readonly (readonly [string, string])[]): string {
  return changes.reduce((text, [from, to]) => {
    if (!text.includes(from)) throw new Error(`the example has no ${JSON.stringify(from)}`);
    return text.replace(from, to);
  }, EXAMPLE);
}

export function judge(text: string, drills: Partial<typeof DRILL_AGES> = {}): Conformance {
  return checkConformance(manifestOf(text), { now: NOW, ...DRILL_AGES, ...drills });
}

export function failed({ checks }: Conformance): string[] {
  return checks.filter(({ held }: Check) => !held).map(({ rule, about }) => `${rule} ${about}`);
}
