import * as z from 'zod';

/** The keys that a schema knows at a path, for telling the nearest one to a mistyped key. */
export function knownKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const [step, ...rest] = path;
  const here = unwrap(schema);
  if (here instanceof z.ZodDiscriminatedUnion || here instanceof z.ZodUnion) {
    return [...new Set(here.options.flatMap((option) => knownKeys(option, path)))];
  }
  if (here instanceof z.ZodArray) return step === undefined ? [] : knownKeys(here.element, rest);
  if (!(here instanceof z.ZodObject)) return [];
  const shape: Readonly<Record<string, z.core.$ZodType>> = here.shape;
  if (step === undefined) return Object.keys(shape);
  const next = Object.hasOwn(shape, step) ? shape[String(step)] : undefined;
  return next === undefined ? [] : knownKeys(next, rest);
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  let here = schema;
  while (
    here instanceof z.ZodDefault ||
    here instanceof z.ZodPrefault ||
    here instanceof z.ZodOptional ||
    here instanceof z.ZodNullable
  ) {
    here = here._zod.def.innerType;
  }
  return here;
}
