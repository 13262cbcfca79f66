import * as z from 'zod';
import { WardenError } from '../kernel/errors.ts';
import { MATURITIES } from '../kernel/posture.ts';
import {
  CERTIFICATE_RESOURCE,
  type RegistrySnapshot,
  ROUTE_ACTIONS,
  SECRET_ROUTE_RESOURCE,
} from '../policy/registry-snapshot.ts';
import { DATA_CLASSES } from '../posture/data-class.ts';

/** Bytes of UTF-8 above which a registry file is refused unread: 10,000 actors take about 5 MB. */
export const MAX_REGISTRY_BYTES = 64 * 1024 * 1024;

const text = z.string().min(1).max(512);
const tenant = text.exactOptional();

const certificateResource = z.strictObject({
  id: text,
  type: z.literal(CERTIFICATE_RESOURCE),
  tenant,
  attributes: z.strictObject({
    actor_type: text,
    principals: z.array(text).min(1).max(256),
    max_ttl_hours: z.number().positive(),
    allowed_subjects: z.array(text).max(1024),
  }),
});

const secretRouteResource = z.strictObject({
  id: text,
  type: z.literal(SECRET_ROUTE_RESOURCE),
  attributes: z.strictObject({
    owner: text,
    required_maturity: z.enum(MATURITIES),
    data_class: z.enum(DATA_CLASSES),
    actors: z.array(text).max(100_000),
    actions: z.array(z.enum(ROUTE_ACTIONS)).max(ROUTE_ACTIONS.length),
  }),
});

/** Of another package: its attributes are that package's own. */
const otherResource = z.strictObject({
  id: text,
  type: text,
  tenant,
  attributes: z.record(z.string(), z.unknown()),
});

const registrySchema = z.strictObject({
  version: z.literal(1),
  tenant: text,
  system: text,
  subjects: z.array(z.strictObject({ id: text, type: text, tenant })),
  resources: z.array(z.unknown()),
});

/**
 * A registry file. Strict, since it is generated: an unknown key is a typing error or another program's file.
 * @throws WardenError config_invalid naming the entry that is wrong
 */
export function parseRegistry(content: string): RegistrySnapshot {
  if (Buffer.byteLength(content) > MAX_REGISTRY_BYTES) throw invalid('it is larger than 64 MiB');
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (cause) {
    // The parser's message quotes the file: it goes to the log, not to the reader.
    throw invalid('it is not JSON', cause);
  }
  const outer = registrySchema.safeParse(json);
  if (!outer.success) throw invalid(describe(outer.error, ''));
  const seen = new Set<string>();
  const resources = outer.data.resources.map((entry, index) => {
    const type = typeof entry === 'object' && entry !== null && 'type' in entry ? entry.type : undefined;
    const parsed = schemaOf(type).safeParse(entry);
    if (!parsed.success) throw invalid(describe(parsed.error, `resources[${index}]`));
    if (seen.has(parsed.data.id)) throw invalid(`resources[${index}].id stands a second time: ${parsed.data.id}`);
    seen.add(parsed.data.id);
    return parsed.data;
  });
  return { ...outer.data, resources };
}

function schemaOf(type: unknown) {
  if (type === CERTIFICATE_RESOURCE) return certificateResource;
  return type === SECRET_ROUTE_RESOURCE ? secretRouteResource : otherResource;
}

function describe(error: z.ZodError, within: string): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'it has another shape';
  const path = issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  const where = `${within}${path}`.replace(/^\./, '') || 'the whole';
  if (issue.code === 'unrecognized_keys') return `${where} has an unknown key: ${issue.keys.join(', ')}`;
  return `${where}: ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`;
}

function invalid(what: string, cause?: unknown): WardenError {
  return new WardenError('config_invalid', `the registry does not hold: ${what}`, {
    hint: 'build it again: warden registry build',
    ...(cause === undefined ? {} : { cause }),
  });
}
