/** Hours, fractions allowed, in whole seconds. */
export function hoursToSeconds(hours: number): number {
  return Math.round(hours * 3600);
}

/** Seconds as a file writes them: hours without needless digits. */
export function secondsToHours(seconds: number): number {
  return Number((seconds / 3600).toFixed(4));
}

const DEFAULT_TTL_SECONDS = 8 * 3600;

/** An actor's TTLs: the maximum is the type's ceiling where it is not written, the default 8 h or the maximum where that is less. */
export function effectiveTtls(
  written: { readonly ttlSeconds: number | undefined; readonly maxTtlSeconds: number | undefined },
  ceilingSeconds: number,
): { readonly ttlSeconds: number; readonly maxTtlSeconds: number } {
  const maxTtlSeconds = written.maxTtlSeconds ?? ceilingSeconds;
  return { ttlSeconds: written.ttlSeconds ?? Math.min(DEFAULT_TTL_SECONDS, maxTtlSeconds), maxTtlSeconds };
}
