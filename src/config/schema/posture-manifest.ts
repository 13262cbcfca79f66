import * as z from 'zod';
import { MATURITIES, POSTURES } from '../../kernel/posture.ts';
import { DATA_CLASSES } from '../../posture/data-class.ts';
import { AUDIT_LEVELS, BACKENDS, REAL_DATA, REAL_VALUES, REUSES, UNSEALS } from '../../posture/descriptor.ts';
import { line, matching, text, version } from './common.ts';

const MAX_ENTRIES = 10_000;

const id = matching(
  'not a name: letters, digits and . _ : @ / -, at most 128 characters',
  'a short name such as npm-auth-token',
  /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}$/,
);

const day = text('not a day', 'a day such as 2026-09-01', isDay).nullable().default(null);

const shippedTo = line(512)
  .refine((value) => value.trim() !== '', {
    error: 'names no place',
    params: { hint: 'where the audit log goes, such as s3://audit' },
  })
  .nullable()
  .default(null);

const environment = z.strictObject({
  id,
  posture: z.enum(POSTURES),
  backend: z.enum(BACKENDS),
  unseal: z.enum(UNSEALS),
  real_values: z.enum(REAL_VALUES),
  reuse: z.enum(REUSES),
  real_data: z.enum(REAL_DATA),
  audit: z.strictObject({
    level: z.enum(AUDIT_LEVELS),
    shipped_to: shippedTo,
    last_restore_drill: day,
    last_break_glass_drill: day,
  }),
  break_glass: z.boolean().default(false),
});

const workload = z.strictObject({ id, environment: id, maturity: z.enum(MATURITIES) });

const secret = z.strictObject({
  id,
  environment: id,
  required_maturity: z.enum(MATURITIES),
  data_class: z.enum(DATA_CLASSES),
  material_id: id,
});

const flow = z.strictObject({ secret: id, workload: id });

/** The file that `warden posture check` reads. Keys stay as they are written: findings name them. */
export const postureManifestSchema = z.strictObject({
  version,
  environments: list(environment).refine((environments) => environments.length > 0, {
    error: 'a manifest without environments says nothing',
    params: { hint: 'at least one environment' },
  }),
  workloads: list(workload),
  secrets: list(secret),
  flows: list(flow),
});

function list<Item extends z.ZodType>(item: Item) {
  return z.array(item).refine((entries) => entries.length <= MAX_ENTRIES, {
    error: `more than ${MAX_ENTRIES} entries`,
    params: { hint: 'split the manifest' },
  });
}

function isDay(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const at = Date.parse(`${value}T00:00:00Z`);
  // 2026-02-30 becomes a day of March where the engine is lenient.
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value);
}
