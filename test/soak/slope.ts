/** One look at the daemon. */
export interface Sample {
  /** Minutes from the begin. */
  readonly minute: number;
  /** Resident memory in MiB. */
  readonly residentMiB: number;
  readonly descriptors: number;
}

/** Least squares: how fast `y` grows with `x`; 0 for fewer than two points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const n = points.length;
  if (n < 2) return 0;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** MiB an hour, over what came after the warm-up (the first third). */
export function residentSlope(samples: readonly Sample[]): number {
  const warm = samples.slice(Math.floor(samples.length / 3));
  return slopeOf(warm.map(({ minute, residentMiB }) => [minute / 60, residentMiB]));
}
