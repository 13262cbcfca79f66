/** Durations and sizes as the project writes them in files and on the command line. */

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** `500ms`, `2s`, `90m`, `8h`, `30d` in milliseconds; null where the text is none of these. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12})(?:\.(\d{1,6}))?(ms|s|m|h|d)$/.exec(text);
  if (match === null) return null;
  const [, whole = '', fraction = ''] = match;
  const unit = UNITS_MS[match[3] as keyof typeof UNITS_MS];
  // Apart, in whole numbers: 1.1 * 3_600_000 is not 3_960_000.
  const part = (Number(fraction) * unit) / 10 ** fraction.length;
  const ms = Number(whole) * unit + part;
  return Number.isInteger(part) && Number.isSafeInteger(ms) ? ms : null;
}

/** A TTL as the command line takes it: a duration, or a bare number of hours. In whole seconds; null where it is neither, or not positive. */
export function parseTtl(text: string): number | null {
  const ms = /^\d{1,9}(?:\.\d{1,6})?$/.test(text) ? Math.round(Number(text) * UNITS_MS.h) : parseDuration(text);
  if (ms === null || ms < 1_000) return null;
  return Math.floor(ms / 1_000);
}

/** `64MiB` in bytes; null where the text is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(text);
  if (match === null) return null;
  const bytes = Number(match[1]) * SIZES[match[2] as keyof typeof SIZES];
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Seconds as a person reads them: `8h`, `90m`, `1h30m`, `45s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  const h = Math.floor(seconds / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = seconds % 60;
  if (h === 0) return s === 0 ? `${m}m` : `${m}m${s}s`;
  return `${h}h${m === 0 ? '' : `${m}m`}${s === 0 ? '' : `${s}s`}`;
}
