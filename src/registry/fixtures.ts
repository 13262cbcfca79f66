import { parse } from 'yaml';
import * as z from 'zod';
import { WardenError } from '../kernel/errors.ts';
import { checkRequestSchema } from '../policy/policy-question.ts';

const fixtureSchema = z.strictObject({
  name: z.string().regex(/^fixture:[a-z0-9-]+$/),
  request: checkRequestSchema,
  expect: z.strictObject({ effect: z.enum(['allow', 'deny']), reason: z.string().min(1) }),
});

/** One request to `POST /v1/check` and what must come back. */
export type PolicyFixture = z.infer<typeof fixtureSchema>;

/**
 * `policy_fixtures.yaml`: a list of fixtures whose names are unique.
 * @throws WardenError config_invalid
 */
export function parseFixtures(content: string): PolicyFixture[] {
  let yaml: unknown;
  try {
    yaml = parse(content, { maxAliasCount: 0 });
  } catch (cause) {
    throw invalid('they are not YAML', cause);
  }
  const parsed = z.array(fixtureSchema).min(1).safeParse(yaml);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'another shape'}`, parsed.error);
  }
  const names = parsed.data.map((fixture) => fixture.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw invalid(`${twice} stands twice`);
  return parsed.data;
}

function invalid(what: string, cause?: unknown): WardenError {
  return new WardenError('config_invalid', `the policy fixtures do not hold: ${what}`, {
    hint: 'write each as { name, request, expect: { effect, reason } }, see examples/flex-auth/policy_fixtures.yaml',
    ...(cause === undefined ? {} : { cause }),
  });
}
