import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadPolicyEvaluator } from '../../src/policy/cedar-evaluator.ts';
import { readPolicyPackage } from '../../src/policy/policy-package.ts';
import { checkRequestSchema, hoursToMicroseconds } from '../../src/policy/policy-question.ts';
import { indexRegistry } from '../../src/policy/registry-index.ts';
import { parseFixtures } from '../../src/registry/fixtures.ts';
import { parseRegistry } from '../../src/registry/parse.ts';
import { question } from '../contract/questions.ts';
import { examples } from './read-inventory.ts';

const read = (name: string): string => readFileSync(new URL(`flex-auth/${name}`, examples), 'utf8');
const shipped = read('policy_package.md');
const production = indexRegistry(parseRegistry(read('production_registry_snapshot.json')));
const fenced = (...rules: string[]): string => rules.map((rule) => `\`\`\`cedar\n${rule}\n\`\`\`\n`).join('\n');

describe('the rules come out of the Markdown', () => {
  it('blocks in order, each line where it stands in the document', () => {
    expect(readPolicyPackage('# A\n```cedar\none\n```\ntext\n~~~~cedar\ntwo\n~~~\nthree\n~~~~\n')).toBe(
      '\n\none\n\n\n\ntwo\n~~~\nthree\n\n',
    );
  });
  it('nothing of other fences, and CRLF as LF', () => {
    expect(readPolicyPackage('```text\n```cedar\nno\n```\r\n```cedar\r\nyes\r\n```').trim()).toBe('yes');
  });
  it.each([
    ['no block', 'permit (principal, action, resource);', 'the policy package holds no ```cedar block'],
    [
      'a block left open',
      '# A\n\n```cedar\npermit',
      'the fence opened on line 3 of the policy package is never closed',
    ],
    ['a megabyte and more', 'x'.repeat(1024 * 1024 + 1), 'the policy package is larger than 1 MiB'],
  ])('%s is refused', (_name, markdown, message) => {
    expect(() => readPolicyPackage(markdown)).toThrow(expect.objectContaining({ code: 'config_invalid', message }));
  });
});

describe('a package that could decide wrongly is not loaded', () => {
  const permit = '@reason("ok") permit (principal, action, resource);';
  it.each([
    [
      'a rule that is no Cedar, by its line',
      fenced(permit, 'forbid (principal, action'),
      /^the policy package does not hold: line [5-8]: /,
    ],
    ['no rule in the block', fenced('// nothing'), /there is no rule in it$/],
    ['a rule without a reason', fenced('permit (principal, action, resource);'), /a rule has no @reason/],
    [
      'a reason that is no word',
      fenced('@reason("Not so") permit (principal, action, resource);'),
      /a rule has no @reason/,
    ],
    [
      'a forbid without an order',
      fenced('@reason("no") forbid (principal, action, resource);'),
      /the forbid rule no has no @order/,
    ],
    [
      'an order in words',
      fenced('@order("first") @reason("no") forbid (principal, action, resource);'),
      /@order of no is not a number/,
    ],
    [
      'two forbids of one order',
      fenced(
        '@order("1") @reason("a") forbid (principal, action, resource); @order("01") @reason("b") forbid (principal, action, resource);',
      ),
      /a and b have the same @order/,
    ],
    ['a template', fenced('@reason("ok") permit (principal == ?principal, action, resource);'), /a rule is a template/],
    [
      'an attribute that may be absent',
      fenced(
        `${permit} @order("1") @reason("no") forbid (principal, action, resource) when { context.ttl_microseconds > 1 };`,
      ),
      /rule no: /,
    ],
    [
      'an attribute that there is not',
      fenced(`${permit} @order("1") @reason("no") forbid (principal, action, resource) when { context.ttl > 1 };`),
      /rule no: /,
    ],
    [
      'text against number',
      fenced(`${permit} @order("1") @reason("no") forbid (principal, action, resource) when { context.tenant > 1 };`),
      /rule no: /,
    ],
    [
      'an action that no one asks',
      fenced('@reason("ok") permit (principal, action == Action::"sing", resource);'),
      /rule ok: /,
    ],
  ])('%s', async (_name, markdown, message) => {
    await expect(loadPolicyEvaluator(markdown)).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(message),
    });
  });
});

describe('the rules decide, and nothing beside them', () => {
  const fixtures = parseFixtures(read('policy_fixtures.yaml'));
  const example = indexRegistry(parseRegistry(read('registry_snapshot.json')));
  const rule = (reason: string) => new RegExp(`(@order\\("\\d"\\)\n)?@reason\\("${reason}"\\)\n[^;]*;`);

  it.each(fixtures.filter((fixture) => fixture.expect.effect === 'deny'))(
    'without its rule, $name would not be',
    async ({ request, expect: expected }) => {
      expect(shipped).toMatch(rule(expected.reason));
      const evaluator = await loadPolicyEvaluator(shipped.replace(rule(expected.reason), '// gone'));
      // A subject that is not registered has no type either: there the next rule holds.
      const verdict =
        expected.reason === 'unknown_subject'
          ? { effect: 'deny', reason: 'actor_type_mismatch' }
          : { effect: 'allow', reason: 'signing_policy_matched' };
      expect(evaluator.evaluate(request, example)).toEqual(verdict);
    },
  );

  it('without the permit nothing is allowed, and the reason says that no rule matched', async () => {
    const evaluator = await loadPolicyEvaluator(shipped.replace(rule('signing_policy_matched'), '// gone'));
    for (const { request, expect: expected } of fixtures) {
      const reason = expected.effect === 'allow' ? 'no_rule_matched' : expected.reason;
      expect(evaluator.evaluate(request, example)).toEqual({ effect: 'deny', reason });
    }
  });

  it('the reason is the annotation of the rule', async () => {
    const evaluator = await loadPolicyEvaluator(shipped.replace('@reason("ttl_out_of_bounds")', '@reason("too_long")'));
    const above = fixtures.find((fixture) => fixture.expect.reason === 'ttl_out_of_bounds');
    expect(above && evaluator.evaluate(above.request, example)).toEqual({ effect: 'deny', reason: 'too_long' });
  });

  it('the order is the annotation of the rule', async () => {
    const evaluator = await loadPolicyEvaluator(shipped.replace('@order("6")', '@order("0")'));
    const asked = question({
      actor: 'agt-state-hub-bridge',
      principal: 'root',
      subject: 'stranger',
      context: { ttl_hours: 999 },
    });
    expect(evaluator.evaluate(checkRequestSchema.parse(asked), production)).toEqual({
      effect: 'deny',
      reason: 'ttl_out_of_bounds',
    });
  });
});

describe('of any request whatever', () => {
  it('an allow keeps within the registered principals, subjects, tenant and maximum', async () => {
    const evaluator = await loadPolicyEvaluator(shipped);
    const text = fc.oneof(
      fc.constantFrom('agt-state-hub-bridge', 'iam:agt-state-hub-bridge', 'agt-task-bridge', 'tenant:platform', 'agt'),
      fc.string(),
    );
    const principals = fc.array(
      fc.oneof({ weight: 4, arbitrary: fc.constant('agt-task-bridge') }, { weight: 1, arbitrary: fc.string() }),
      { maxLength: 3 },
    );
    const ttl = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ min: 0, max: 30, noNaN: true }),
    );
    const base = question({ actor: 'agt-state-hub-bridge', principal: 'agt-task-bridge' });
    fc.assert(
      fc.property(
        text,
        fc.oneof(fc.constant('tenant:platform'), text),
        principals,
        ttl,
        (subject, tenant, names, hours) => {
          const parsed = checkRequestSchema.safeParse({
            ...base,
            tenant,
            subject: { ...base.subject, id: subject },
            context: { ...base.context, principals: names, ttl_hours: hours },
          });
          fc.pre(parsed.success);
          const { effect, reason } = evaluator.evaluate(parsed.data, production);
          const within =
            tenant === 'tenant:platform' &&
            ['agt-state-hub-bridge', 'iam:agt-state-hub-bridge'].includes(subject) &&
            names.length > 0 &&
            names.every((name) => name === 'agt-task-bridge') &&
            hoursToMicroseconds(hours) > 0 &&
            hoursToMicroseconds(hours) <= 24 * 3_600_000_000;
          expect(effect).toBe(within ? 'allow' : 'deny');
          expect(reason === 'signing_policy_matched').toBe(within);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('a second more than the maximum is always more, whatever the maximum', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8760 * 3600 }), (seconds) => {
        const [maximum, same, more] = [
          seconds / 3600,
          JSON.parse(JSON.stringify(seconds / 3600)),
          (seconds + 1) / 3600,
        ].map(hoursToMicroseconds);
        expect(same).toBe(maximum);
        expect(more).toBeGreaterThan(maximum ?? Number.NaN);
        expect(Number.isSafeInteger(more)).toBe(true);
      }),
    );
  });
});
