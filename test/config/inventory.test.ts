import { describe, expect, test } from 'vitest';
import { CONTEXT, inventoryOf, seen } from './support.ts';

const HEAD = 'version: 1\nactors:\n';

describe('inventory.yaml', () => {
  test('the entry of the contract means what it says', () => {
    const parsed = inventoryOf(`version: 1
actors:
  - name: agt-state-hub-bridge
    type: agt                          # must equal the name's prefix
    principals: [agt-task-bridge]
    ttl_hours: 8                       # default
    max_ttl_hours: 24                  # never above the type's ceiling
    maturity: M2
    tenant: tenant:platform
    allowed_subjects: [agt-state-hub-bridge, "iam:agt-state-hub-bridge"]
    callers: [{ user: hub, unit: hub-bridge.service }]
    options: { source-address: 10.0.0.0/8, force-command: null, verify-required: false, extensions: [] }
    openbao_role: null
hosts:
  - { name: bastion-1, addresses: [10.0.0.5], purpose: "jump host", host_certificate: { principals: [bastion-1.example.net], ttl_hours: 720, callers: [] } }
`);
    expect(parsed.problems).toEqual([]);
    expect(parsed.actors).toEqual([
      {
        name: 'agt-state-hub-bridge',
        type: 'agt',
        principals: ['agt-task-bridge'],
        ttlSeconds: 28_800,
        maxTtlSeconds: 86_400,
        maturity: 'M2',
        tenant: 'tenant:platform',
        allowedSubjects: ['agt-state-hub-bridge', 'iam:agt-state-hub-bridge'],
        callers: [{ uid: 1001, unit: 'hub-bridge.service' }],
        options: { sourceAddress: '10.0.0.0/8', forceCommand: null, verifyRequired: false, extensions: [] },
        openbaoRole: null,
      },
    ]);
    expect(parsed.hosts).toEqual([
      {
        name: 'bastion-1',
        addresses: ['10.0.0.5'],
        purpose: 'jump host',
        hostCertificate: { principals: ['bastion-1.example.net'], ttlSeconds: 2_592_000, callers: [] },
      },
    ]);
  });

  test.each([
    ['adm', 28_800, 172_800, ['permit-agent-forwarding', 'permit-port-forwarding', 'permit-pty']],
    ['agt', 28_800, 86_400, []],
    ['atm', 28_800, 28_800, []],
  ] as const)('what an %s actor does not say has its defaults', (type, ttlSeconds, maxTtlSeconds, extensions) => {
    const { actors } = inventoryOf(`${HEAD}  - { name: ${type}-x, type: ${type}, principals: [p] }\n`, {
      ...CONTEXT,
      tenant: 'tenant:other',
    });
    expect(actors).toEqual([
      {
        name: `${type}-x`,
        type,
        principals: ['p'],
        ttlSeconds,
        maxTtlSeconds,
        maturity: 'M0',
        tenant: 'tenant:other',
        allowedSubjects: [`${type}-x`, `iam:${type}-x`],
        callers: null,
        options: { sourceAddress: null, forceCommand: null, verifyRequired: false, extensions },
        openbaoRole: null,
      },
    ]);
  });

  test('a short maximum shortens the default TTL, and an administrator may have no extensions', () => {
    const { actors } = inventoryOf(
      `${HEAD}  - { name: adm-x, type: adm, principals: [p], max_ttl_hours: 0.5, options: { extensions: [] } }\n`,
    );
    expect(actors[0]).toMatchObject({ ttlSeconds: 1_800, maxTtlSeconds: 1_800, options: { extensions: [] } });
  });

  test('an inventory without actors is valid', () => {
    expect(inventoryOf('version: 1\n')).toMatchObject({ actors: [], hosts: [], problems: [] });
  });

  const one = (fields: string): string => `${HEAD}  - { name: agt-x, type: agt, principals: [p], ${fields} }\n`;
  const at = (column: number): string => `3:${column}`;
  test.each([
    [
      'a name of another type',
      `${HEAD}  - { name: adm-x, type: agt, principals: [p] }\n`,
      `${at(26)}: the name \`adm-x\` does not begin with its type \`agt-\``,
      'type: adm, or a name such as agt-example',
    ],
    [
      'a name without a type',
      `${HEAD}  - { name: bridge, type: agt, principals: [p] }\n`,
      `${at(13)}: \`name\`: not an actor name`,
      'the type, a dash and a name of lower-case letters, digits, dots, dashes and underscores, at most 64 characters: agt-example',
    ],
    [
      'a name in capitals',
      `${HEAD}  - { name: agt-X, type: agt, principals: [p] }\n`,
      `${at(13)}: \`name\`: not an actor name`,
      'the type, a dash and a name of lower-case letters, digits, dots, dashes and underscores, at most 64 characters: agt-example',
    ],
    [
      'a type that is none',
      `${HEAD}  - { name: agt-x, type: agent, principals: [p] }\n`,
      `${at(26)}: \`type\`: must be one of adm, agt, atm`,
      'agt',
    ],
    [
      'no principals',
      `${HEAD}  - { name: agt-x, type: agt }\n`,
      `${at(5)}: \`principals\` is missing`,
      'principals: with a list',
    ],
    [
      'an empty list of principals',
      `${HEAD}  - { name: agt-x, type: agt, principals: [] }\n`,
      `${at(43)}: \`principals\`: an actor without principals could log in as anyone`,
      'at least one principal',
    ],
    [
      'a comma inside a principal',
      `${HEAD}  - { name: agt-x, type: agt, principals: ["root,p"] }\n`,
      `${at(44)}: \`principals\`: not a principal: no comma, no space, printable ASCII, at most 255 characters`,
      'a name such as deploy',
    ],
    [
      'a principal twice',
      `${HEAD}  - { name: agt-x, type: agt, principals: [p, p] }\n`,
      `${at(47)}: \`principals\`: \`p\` stands twice in this list`,
      'each entry once',
    ],
    [
      'a principal that is a number',
      `${HEAD}  - { name: agt-x, type: agt, principals: [7] }\n`,
      `${at(44)}: \`principals\`: must be a text, not a number`,
      'a text, in quotes where it looks like a number',
    ],
    [
      'a maximum above the ceiling',
      one('max_ttl_hours: 25'),
      `${at(63)}: max_ttl_hours is above the ceiling of 24 h for \`agt\``,
      'max_ttl_hours: 24, or a higher ttl_ceilings_hours in warden.yaml',
    ],
    [
      'a default above the maximum',
      one('ttl_hours: 3, max_ttl_hours: 2'),
      `${at(59)}: ttl_hours is above max_ttl_hours`,
      'ttl_hours: 2',
    ],
    [
      'a default above the ceiling',
      one('ttl_hours: 25'),
      `${at(59)}: ttl_hours is above the ceiling of 24 h for \`agt\``,
      'ttl_hours: 24',
    ],
    [
      'a TTL of nothing',
      one('ttl_hours: 0'),
      `${at(59)}: \`ttl_hours\`: not a number of hours above 0 and up to 8760`,
      'hours as a number, fractions allowed: 8, 0.5',
    ],
    [
      'a TTL as a duration',
      one('ttl_hours: 8h'),
      `${at(59)}: \`ttl_hours\`: must be a number, not a text`,
      'a number without quotes',
    ],
    [
      'a TTL that is not finite',
      one('ttl_hours: .inf'),
      `${at(59)}: \`ttl_hours\`: must be a number, not infinite or no number`,
      'a number without quotes',
    ],
    ['a maturity that is none', one('maturity: M4'), `${at(58)}: \`maturity\`: must be one of M0, M1, M2, M3`, 'M0'],
    [
      'a tenant without its prefix',
      one('tenant: platform'),
      `${at(56)}: \`tenant\`: not a tenant`,
      'tenant: and a name, such as tenant:platform',
    ],
    [
      'no subjects',
      one('allowed_subjects: []'),
      `${at(66)}: \`allowed_subjects\`: an actor without subjects could never be signed for`,
      'leave the key out for the default',
    ],
    [
      'callers left empty',
      one('callers: '),
      `${at(48)}: \`callers\`: must be a list, not empty`,
      'a list: [a, b], or one entry a line after `- `',
    ],
    [
      'an empty selector',
      one('callers: [{}]'),
      `${at(58)}: \`callers\`: an empty selector would admit everyone`,
      'at least one key, such as { uid: 1000 }',
    ],
    [
      'a block with bits behind its mask',
      one('options: { source-address: 10.1.0.0/8 }'),
      `${at(75)}: source-address has bits set behind its /8 mask, which sshd refuses`,
      '10.0.0.0/8',
    ],
    [
      'an extension that is none',
      one('options: { extensions: [permit-ptty] }'),
      `${at(72)}: \`extensions\`: must be one of no-touch-required, permit-X11-forwarding, permit-agent-forwarding, permit-port-forwarding, permit-pty, permit-user-rc`,
      'permit-pty',
    ],
    [
      'a forced command over two lines',
      one('options: { force-command: "a\\nb" }'),
      `${at(74)}: \`force-command\`: longer than 4096 characters, or with line breaks or control characters`,
      'one line of plain text',
    ],
    [
      'an empty forced command',
      one('options: { force-command: "" }'),
      `${at(74)}: \`force-command\`: force-command is empty`,
      'null, or the command',
    ],
    [
      'an underscore in an option',
      one('options: { source_address: 10.0.0.0/8 }'),
      `${at(59)}: unknown key \`source_address\`; the nearest known key is \`source-address\``,
      'source-address:',
    ],
    [
      'a mistyped key',
      one('principal: [x]'),
      `${at(48)}: unknown key \`principal\`; the nearest known key is \`principals\``,
      'principals:',
    ],
    [
      'a host principal that is a pattern',
      'version: 1\nhosts:\n  - { name: h, host_certificate: { principals: ["*"] } }\n',
      `${at(49)}: \`principals\`: not a host name: clients read \`*\`, \`?\` and \`!\` in it as patterns`,
      'a whole name such as bastion-1.example.net',
    ],
  ] as const)('%s is named with its place and mend', (_name, text, where, hint) => {
    const parsed = inventoryOf(text);
    expect(seen(parsed)).toEqual([[`inventory.yaml:${where}`, hint]]);
    expect(parsed.actors).toEqual([]);
  });

  test('two actors of one name, and two hosts', () => {
    const text = `${HEAD}  - { name: agt-x, type: agt, principals: [p] }\n  - { name: agt-x, type: agt, principals: [q] }\nhosts:\n  - { name: h }\n  - { name: h }\n`;
    expect(seen(inventoryOf(text))).toEqual([
      ['inventory.yaml:4:13: the actor `agt-x` stands twice', 'one entry, or another name'],
      ['inventory.yaml:7:13: the host `h` stands twice', 'one entry, or another name'],
    ]);
  });

  test('rules are checked in one entry while another breaks the schema', () => {
    const text = `${HEAD}  - { name: agt-x, type: agt }\n  - { name: agt-y, type: agt, principals: [p], max_ttl_hours: 48 }\n`;
    expect(seen(inventoryOf(text)).map(([where]) => where)).toEqual([
      'inventory.yaml:3:5: `principals` is missing',
      'inventory.yaml:4:63: max_ttl_hours is above the ceiling of 24 h for `agt`',
    ]);
  });

  test('ceilings that are not known are not guessed', () => {
    expect(
      inventoryOf(one('max_ttl_hours: 8000'), { ceilingsSeconds: null, tenant: 'tenant:platform' }).problems,
    ).toEqual([]);
  });

  test('a thousand problems are counted, a hundred shown', () => {
    const text = HEAD + Array.from({ length: 1000 }, (_, index) => `  - { name: agt-${index}, type: agt }\n`).join('');
    const { problems } = inventoryOf(text);
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toEqual({
      file: 'inventory.yaml',
      line: 0,
      column: 0,
      message: '900 more problems in this file',
      hint: 'mend those above first',
    });
  });

  test.each([
    [
      'an interpreter',
      'callers: [{ exe: /usr/bin/python3 }]',
      ['inventory.yaml:3:65: /usr/bin/python3 is an interpreter: it admits every script of that user'],
    ],
    [
      'a link to an interpreter',
      'callers: [{ exe: /usr/bin/tool }]',
      ['inventory.yaml:3:65: /usr/bin/tool is an interpreter: it admits every script of that user'],
    ],
    [
      'a program that is not there',
      'callers: [{ exe: /opt/none }]',
      ['inventory.yaml:3:65: there is nothing at /opt/none: this selector matches no one'],
    ],
    ['a program like any other', 'callers: [{ exe: /usr/bin/git }]', []],
    ['nobody', 'callers: []', ['inventory.yaml:3:57: callers is empty: nobody may ask for agt-x']],
    [
      'subjects without the actor itself',
      'allowed_subjects: ["iam:z"]',
      ['inventory.yaml:3:66: agt-x is not among its own subjects: callers must set WARDEN_POLICY_SUBJECT'],
    ],
  ] as const)('callers that are %s: a warning where one is due', (_name, fields, warnings) => {
    const parsed = inventoryOf(one(fields));
    expect(parsed.problems).toEqual([]);
    expect(parsed.warnings).toEqual(warnings);
  });

  test('digests are the same for the same content, whatever its spelling and order', () => {
    const a = inventoryOf(
      `${HEAD}  - { name: agt-x, type: agt, principals: [p] }\n  - { name: agt-y, type: agt, principals: [q] }\n`,
    );
    const b = inventoryOf(
      `# other words\nactors:\n- {type: agt, principals: ["q"], name: agt-y}\n- type: agt\n  name: agt-x\n  principals:\n    - p\n  maturity: M0\nversion: 1\n`,
    );
    expect(b.digest).toBe(a.digest);
    expect(inventoryOf(`${HEAD}  - { name: agt-x, type: agt, principals: [p] }\n`).digest).not.toBe(a.digest);
  });

  test('10,000 actors are read', () => {
    const text =
      HEAD +
      Array.from(
        { length: 10_000 },
        (_, index) =>
          `  - name: agt-a${index}\n    type: agt\n    principals: [p${index}]\n    callers: [{ uid: ${index} }]\n`,
      ).join('');
    const { actors, problems } = inventoryOf(text);
    expect(problems).toEqual([]);
    expect(actors).toHaveLength(10_000);
    expect(actors[9_999]).toMatchObject({ name: 'agt-a9999', principals: ['p9999'], callers: [{ uid: 9_999 }] });
  });
});
