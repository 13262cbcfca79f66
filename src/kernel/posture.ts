/** Axis A: how the secret store behind a workload is secured. */
export const POSTURES = ['dev', 'test', 'prod'] as const;
export type EnvPosture = (typeof POSTURES)[number];

/** Axis B: how trusted a workload is, in rising order. */
export const MATURITIES = ['M0', 'M1', 'M2', 'M3'] as const;
export type Maturity = (typeof MATURITIES)[number];

/** What every opaque value of a double begins with, and every synthetic key id and key comment too. */
export const SYNTHETIC_PREFIX = 'synthetic-';
