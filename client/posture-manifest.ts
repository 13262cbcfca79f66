import { MAX_MANIFEST_BYTES, type ReadManifest, readPostureManifest } from '../src/config/posture-manifest.ts';
import { DRILL_AGES } from '../src/posture/conformance.ts';
import type { DrillRules } from '../src/posture/environment-checks.ts';
import { type Args, quoted, usageError } from './args.ts';
import { readBounded } from './bounded-file.ts';

const DAY_MS = 86_400_000;

/** A manifest as named on the command line, with the bytes that were judged. @throws WardenError invalid_request where it can't be read */
export function loadManifest(file: string): { readonly bytes: Buffer; readonly read: ReadManifest } {
  const bytes = readBounded(file, 'the manifest', MAX_MANIFEST_BYTES);
  return { bytes, read: readPostureManifest(file === '-' ? 'stdin' : file, bytes) };
}

/** The moment to judge at and how old drills may be, from --at, --restore-drill-max-age and --break-glass-drill-max-age. */
export function drillRules(args: Args): DrillRules {
  return {
    now: moment(args.string('at')),
    restoreDrillMaxAgeDays: days(args, 'restore-drill-max-age') ?? DRILL_AGES.restoreDrillMaxAgeDays,
    breakGlassDrillMaxAgeDays: days(args, 'break-glass-drill-max-age') ?? DRILL_AGES.breakGlassDrillMaxAgeDays,
  };
}

function days(args: Args, name: string): number | undefined {
  const ms = args.durationMs(name);
  if (ms === undefined) return undefined;
  if (ms < DAY_MS) throw usageError(`--${name} is less than a day`, 'write days: 180d');
  return Math.floor(ms / DAY_MS);
}

function moment(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN;
  if (Number.isNaN(at) || !new Date(at).toISOString().startsWith(text)) {
    throw usageError(`--at ${quoted(text)} is no day`, 'write 2026-11-01');
  }
  return at;
}
