import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BreakGlass, type BreakGlassPolicy } from '../../src/policy/break-glass.ts';
import type { Decision } from '../../src/policy/decision.ts';
import { PolicyFault, type PolicyFaultKind } from '../../src/policy/decision-point.ts';
import { denial } from '../../src/policy/denial.ts';
import { parseEndpoint } from '../../src/policy/endpoint.ts';
import { ruleOnFault } from '../../src/policy/fault-rule.ts';
import { parseAnswer } from '../../src/policy/parse-answer.ts';
import { signQuestion } from '../../src/policy/question.ts';
import { resolveSubject, type SubjectInput } from '../../src/policy/subject.ts';
import { HandClock } from './support/clock.ts';

describe('what a fault may release', () => {
  const opening: PolicyFaultKind[] = ['unreachable', 'timeout', 'http_status'];
  const closed: PolicyFaultKind[] = ['answer', 'untrusted', 'overloaded'];
  const byBreaker = (openedBy?: PolicyFaultKind): PolicyFault =>
    new PolicyFault('breaker_open', 'x', openedBy === undefined ? {} : { openedBy });
  const faults: [string, PolicyFault, boolean, string][] = [
    ...opening.map((kind): [string, PolicyFault, boolean, string] => [
      kind,
      new PolicyFault(kind, 'x'),
      true,
      'policy_unavailable',
    ]),
    ...opening.map((kind): [string, PolicyFault, boolean, string] => [
      `a breaker opened by ${kind}`,
      byBreaker(kind),
      true,
      'policy_unavailable',
    ]),
    ['answer', new PolicyFault('answer', 'x'), false, 'policy_answer_invalid'],
    ['untrusted', new PolicyFault('untrusted', 'x'), false, 'policy_unavailable'],
    ['overloaded', new PolicyFault('overloaded', 'x'), false, 'policy_unavailable'],
    ...closed.map((kind): [string, PolicyFault, boolean, string] => [
      `a breaker opened by ${kind}`,
      byBreaker(kind),
      false,
      'policy_unavailable',
    ]),
    ['a breaker that does not say why', byBreaker(), false, 'policy_unavailable'],
  ];

  test.each(faults)('%s', (_name, fault, opens, code) => {
    for (const failClosed of [true, false]) {
      for (const breakGlassOpen of [true, false]) {
        const verdict = ruleOnFault(fault, { failClosed, breakGlassOpen });
        if (opens && !failClosed) expect(verdict).toEqual({ outcome: 'release', because: 'fail_open' });
        else if (opens && breakGlassOpen) expect(verdict).toEqual({ outcome: 'release', because: 'break_glass' });
        else expect(verdict).toMatchObject({ outcome: 'refuse', error: { code, details: { cause: fault } } });
      }
    }
  });

  test('the sentence for the caller holds nothing of the fault but its HTTP status', () => {
    for (const [, fault] of faults) {
      const secret = new PolicyFault(fault.kind, '/etc/warden/bearer', { status: 503 });
      const verdict = ruleOnFault(secret, { failClosed: true, breakGlassOpen: false });
      if (verdict.outcome !== 'refuse') throw new Error('released');
      expect(verdict.error.message).not.toContain('/etc');
      expect(verdict.error.message).toMatch(/^[a-z][^.\n]*$/);
      expect(verdict.error.message.includes('503')).toBe(fault.kind === 'http_status');
    }
  });
});

describe('a denial', () => {
  const deny = (reason: string): Decision => ({
    effect: 'deny',
    id: 'decision:1',
    idSource: 'pdp',
    reason,
    expiresAt: null,
    cached: false,
  });

  test.each([
    ['ttl_out_of_bounds', 'ttl_out_of_bounds'],
    ['unknown_actor_resource', 'unknown_actor_resource'],
    ['unknown_subject', 'unknown_subject'],
    ['actor_type_mismatch', 'actor_type_mismatch'],
    ['disallowed_principal', 'disallowed_principal'],
    ['missing_fingerprint', 'missing_fingerprint'],
    ['outside office hours', 'policy_denied'],
    ['signing_policy_matched', 'policy_denied'],
    ['TTL_OUT_OF_BOUNDS', 'policy_denied'],
    // Reason codes of ours that are not the decision point's to use.
    ['policy_unavailable', 'policy_denied'],
    ['caller_not_allowed', 'policy_denied'],
    ['internal', 'policy_denied'],
    ['toString', 'policy_denied'],
    ['__proto__', 'policy_denied'],
  ])('for the reason %s is %s, with the reason and the decision id', (reason, code) => {
    const error = denial(deny(reason));
    expect(error).toMatchObject({ code, kind: 'refused', details: { decisionId: 'decision:1', policyReason: reason } });
    expect(error.message).toBe(`the decision point denied the request with the reason: ${reason}`);
    expect(error.hint).not.toBe('');
  });

  test('without a reason says so', () => {
    const error = denial(deny(''));
    expect(error).toMatchObject({
      code: 'policy_denied',
      message: 'the decision point denied the request without giving a reason',
    });
    expect(error.details).toEqual({ decisionId: 'decision:1' });
  });
});

describe('the question about a signature', () => {
  const input = {
    actor: { name: 'adm-example', type: 'adm' as const },
    subject: 'platform-steward',
    tenant: 'tenant:a',
    system: 'ops-warden',
    principals: ['adm-full'],
    fingerprint: 'SHA256:x',
    ttlHours: 999,
  };

  test('sends the tenant of the actor in subject, resource and question', () => {
    expect(signQuestion(input)).toEqual({
      subject: { id: 'platform-steward', type: 'adm', tenant: 'tenant:a' },
      tenant: 'tenant:a',
      resource: { id: 'ssh-cert:actor/adm-example', type: 'ssh-certificate', system: 'ops-warden', tenant: 'tenant:a' },
      action: 'sign',
      context: { principals: ['adm-full'], actor_type: 'adm', pubkey_fingerprint: 'SHA256:x', ttl_hours: 999 },
    });
  });

  test('carries reason and ticket where they were given, and no empty ones', () => {
    expect(Object.keys(signQuestion({ ...input, reason: 'disk', ticket: 'OPS-1' }).context).slice(4)).toEqual([
      'reason',
      'ticket',
    ]);
    expect(Object.keys(signQuestion({ ...input, reason: '', ticket: '' }).context)).toHaveLength(4);
  });
});

describe('the subject', () => {
  const actor = { name: 'adm-jo', type: 'adm' as const, allowedSubjects: ['adm-jo', 'iam:jo'] };
  const input: SubjectInput = { requested: '', actor, claimsSubject: null, requireClaimsFor: [] };

  test.each<[string, Partial<SubjectInput>, string]>([
    ["is the actor's name where nothing else is said", {}, 'adm-jo'],
    ['is the one asked for where it is allowed', { requested: 'iam:jo' }, 'iam:jo'],
    [
      'is that of a verified token where one is required',
      { claimsSubject: 'iam:jo', requireClaimsFor: ['adm'] },
      'iam:jo',
    ],
    ['is that of a verified token where one was given', { claimsSubject: 'iam:jo' }, 'iam:jo'],
    ['may be said twice', { claimsSubject: 'iam:jo', requested: 'iam:jo', requireClaimsFor: ['adm'] }, 'iam:jo'],
    ['needs no token for another type', { requireClaimsFor: ['agt', 'atm'] }, 'adm-jo'],
  ])('%s', (_name, more, subject) => {
    expect(resolveSubject({ ...input, ...more })).toBe(subject);
  });

  test.each<[string, Partial<SubjectInput>, string, RegExp]>([
    [
      'that nobody listed is unknown',
      { requested: 'iam:eve' },
      'unknown_subject',
      /^the subject asked for is not among/,
    ],
    [
      'in other capitals is unknown',
      { requested: 'iam:Jo' },
      'unknown_subject',
      /not among the allowed subjects of adm-jo$/,
    ],
    ['with a space is unknown', { requested: 'iam:jo ' }, 'unknown_subject', /not among/],
    [
      'of a token that nobody listed is unknown',
      { claimsSubject: 'iam:eve' },
      'unknown_subject',
      /^the ID token's subject is not among/,
    ],
    [
      'without the token that is required',
      { requireClaimsFor: ['adm'] },
      'claims_required',
      /^actors of type adm need a signed ID token$/,
    ],
    [
      'claimed instead of the token that is required',
      { requested: 'iam:jo', requireClaimsFor: ['adm'] },
      'claims_required',
      /need a signed/,
    ],
    [
      'that differs from the token is refused',
      { requested: 'adm-jo', claimsSubject: 'iam:jo', requireClaimsFor: ['adm'] },
      'subject_mismatch',
      /name different subjects$/,
    ],
    [
      'that differs from a token that was not even required',
      { requested: 'adm-jo', claimsSubject: 'iam:jo' },
      'subject_mismatch',
      /different/,
    ],
  ])('%s', (_name, more, code, message) => {
    const thrown = (() => {
      try {
        return resolveSubject({ ...input, ...more });
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("the actor's own name is not allowed where the inventory leaves it out", () => {
    const other = { ...actor, allowedSubjects: ['iam:jo'] };
    expect(() => resolveSubject({ ...input, actor: other })).toThrow(/not among/);
  });
});

describe('a break-glass', () => {
  const setUp = () => {
    const clock = new HandClock();
    return { clock, glass: new BreakGlass(clock) };
  };
  const opening = {
    openedBy: 'uid 0',
    reason: 'flex-auth is down',
    forMs: 1_800_000,
    maxMs: 3_600_000,
    allowedUnder: ({ breakGlass }: BreakGlassPolicy) => breakGlass.callers.some(({ uid }) => uid === 0),
  };

  test.each<[string, boolean, number | null, number, boolean]>([
    ['that changes nothing of it leaves it open', true, 0, 3_600_000, true],
    ['that lets it last no longer than it does leaves it open', true, 0, 1_800_000, true],
    ['that lets it last less than it does ends it', true, 0, 1_799_999, false],
    ['that names another caller ends it', true, 1000, 3_600_000, false],
    ['that names nobody ends it', true, null, 3_600_000, false],
    ['that turns the gate off ends it', false, 0, 3_600_000, false],
  ])('a reload %s', (_name, enabled, uid, maxMs, stays) => {
    const { glass } = setUp();
    const policy = { enabled, breakGlass: { callers: uid === null ? [] : [{ uid }], maxMs } };
    expect(glass.review(policy)).toBe(false);
    glass.open(opening);
    expect(glass.review(policy)).toBe(!stays);
    expect(glass.current() !== null).toBe(stays);
    expect(glass.review(policy)).toBe(false);
  });

  test('is closed until it is opened, and ends by itself', () => {
    const { clock, glass } = setUp();
    expect(glass.current()).toBeNull();
    const until = clock.now() + 1_800_000;
    expect(glass.open(opening)).toMatchObject({ openedBy: 'uid 0', reason: 'flex-auth is down', until, releases: 0 });
    clock.pass(1_799_999);
    expect(glass.current()).toMatchObject({ until });
    clock.pass(1);
    expect(glass.current()).toBeNull();
  });

  test.each([
    ['a wall clock put back', -7_200_000, 1_800_000],
    ['a wall clock put forward', 1_800_000, 0],
  ])('%s does not prolong it', (_name, wall, mono) => {
    const { clock, glass } = setUp();
    glass.open(opening);
    clock.wall += wall;
    clock.mono += mono;
    expect(glass.current()).toBeNull();
    clock.wall -= wall;
    expect(glass.current()).toBeNull();
  });

  test('counts its releases, and on when it is prolonged, and anew when it is opened again', () => {
    const { clock, glass } = setUp();
    glass.open(opening);
    const openedAt = clock.now();
    glass.countRelease();
    glass.countRelease();
    clock.pass(60_000);
    expect(glass.open({ ...opening, reason: 'still down' })).toMatchObject({
      openedAt,
      releases: 2,
      reason: 'still down',
    });
    glass.close();
    expect(glass.current()).toBeNull();
    expect(glass.open(opening)).toMatchObject({ openedAt: clock.now(), releases: 0 });
  });

  test('the longest time allowed is allowed', () => {
    const { glass } = setUp();
    expect(glass.open({ ...opening, forMs: 3_600_000 })).toMatchObject({ releases: 0 });
  });

  test.each([
    ['longer than the limit', { forMs: 3_600_001 }, 'break_glass_forbidden', 'a break-glass lasts at most 1h here'],
    ['for no time', { forMs: 0 }, 'invalid_request', 'a break-glass needs a positive duration'],
    ['for less than no time', { forMs: -1 }, 'invalid_request', 'a break-glass needs a positive duration'],
    ['for NaN', { forMs: Number.NaN }, 'invalid_request', 'a break-glass needs a positive duration'],
    ['without a reason', { reason: ' ' }, 'invalid_request', /needs a reason of one line/],
    ['with a reason of two lines', { reason: 'a\nb' }, 'invalid_request', /needs a reason of one line/],
    [
      'with a reason that turns the text around',
      { reason: 'a\u202eb' },
      'invalid_request',
      /needs a reason of one line/,
    ],
    ['with a reason without end', { reason: 'x'.repeat(513) }, 'invalid_request', /at most 512 characters$/],
  ])('%s is refused, and what was open stays as it was', (_name, more, code, message) => {
    const { glass } = setUp();
    glass.open(opening);
    const before = glass.current();
    const thrown = (() => {
      try {
        return glass.open({ ...opening, ...more });
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toMatchObject({
      code,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    });
    expect(glass.current()).toEqual(before);
  });
});

describe('the address of the decision point', () => {
  test.each([
    [
      'http://127.0.0.1:8080',
      { base: 'http://127.0.0.1:8080', origin: 'http://127.0.0.1:8080', basePath: '', tls: false, socketPath: null },
    ],
    [
      'http://127.0.0.1:8080/',
      { base: 'http://127.0.0.1:8080', origin: 'http://127.0.0.1:8080', basePath: '', tls: false, socketPath: null },
    ],
    [
      'https://pdp.example/a/b//',
      { base: 'https://pdp.example/a/b', origin: 'https://pdp.example', basePath: '/a/b', tls: true, socketPath: null },
    ],
    [
      'http://[::1]:8080',
      { base: 'http://[::1]:8080', origin: 'http://[::1]:8080', basePath: '', tls: false, socketPath: null },
    ],
    [
      'unix:///run/pdp.sock',
      { base: 'http://localhost', origin: 'http://localhost', basePath: '', tls: false, socketPath: '/run/pdp.sock' },
    ],
    [
      'unix:///run/pdp.sock:/v2/',
      {
        base: 'http://localhost/v2',
        origin: 'http://localhost',
        basePath: '/v2',
        tls: false,
        socketPath: '/run/pdp.sock',
      },
    ],
  ])('%s', (url, endpoint) => {
    expect(parseEndpoint(url)).toEqual(endpoint);
  });

  test.each([
    ['', /is no URL$/],
    ['127.0.0.1:8080', /is no URL|neither/],
    ['ftp://pdp.example', /neither http, https nor unix$/],
    ['file:///etc/passwd', /neither http, https nor unix$/],
    ['http://user:synthetic-pass@pdp.example', /carries credentials: use policy.auth.bearer_file$/],
    ['http://pdp.example/?a=1', /carries a query or a fragment$/],
    ['http://pdp.example/#a', /carries a query or a fragment$/],
    ['unix://run/pdp.sock', /names no absolute path$/],
    ['unix:///run/pdp\0.sock', /names no absolute path$/],
    [`unix:///${'a'.repeat(107)}`, /longer than 107 bytes$/],
    [`unix:///${'é'.repeat(54)}`, /longer than 107 bytes$/],
  ])('%j is refused', (url, message) => {
    expect(() => parseEndpoint(url)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringMatching(message) }),
    );
    expect(() => parseEndpoint(url)).not.toThrow(/synthetic-pass/);
  });
});

describe('strict JSON', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'binary' }), fc.nat(3), (text, indent) => {
        const pretty = JSON.stringify(JSON.parse(text), null, indent);
        expect(parseAnswer(Buffer.from(pretty))).toEqual(JSON.parse(pretty));
      }),
      { numRuns: 1_000 },
    );
  });

  test('refuses a name that stands twice in one object, at any depth, however it is written', () => {
    const disguised = (name: string): string =>
      [...Array(name.length).keys()].map((at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`).join('');
    const value = fc.json({ maxDepth: 2, stringUnit: 'binary' });
    fc.assert(
      fc.property(
        fc.string(),
        value,
        value,
        fc.array(fc.constantFrom('list', 'object'), { maxLength: 5 }),
        (name, one, two, around) => {
          const twice = `{ ${JSON.stringify(name)} : ${one} , "${disguised(name)}":${two}}`;
          const text = around.reduce(
            (inner, kind) => (kind === 'list' ? `[1,${inner}]` : `{"a":"}{","b":${inner}}`),
            twice,
          );
          expect(() => parseAnswer(Buffer.from(text))).toThrow(/names a field twice/);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is not hurt by depth', () => {
    const deep = '['.repeat(30_000) + ']'.repeat(30_000);
    expect(parseAnswer(Buffer.from(deep))).toBeInstanceOf(Array);
  });

  test('any bytes at all are either read or refused as an answer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          parseAnswer(bytes);
        } catch (error) {
          expect(error).toMatchObject({ name: 'PolicyFault', kind: 'answer' });
        }
      }),
    );
  });
});
