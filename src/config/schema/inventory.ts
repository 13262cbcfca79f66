import * as z from 'zod';
import { EXTENSIONS } from '../../inventory/extensions.ts';
import { ACTOR_NAME, HOST_PRINCIPAL } from '../../inventory/names.ts';
import { MATURITIES } from '../../kernel/posture.ts';
import { actorType, filled, hours, line, matching, principal, subject, tenant, unique, version } from './common.ts';
import { selectors } from './selector.ts';

const options = z.strictObject({
  'source-address': z
    .string()
    .nullable()
    .default(null)
    .describe('Addresses and CIDR blocks that the certificate may be used from, with commas between; null: any.'),
  'force-command': line(4096)
    .refine((value) => value.trim() !== '', {
      error: 'force-command is empty',
      params: { hint: 'null, or the command' },
    })
    .nullable()
    .default(null)
    .describe('The one command that sshd runs whatever the client asks for; null: none.'),
  'verify-required': z
    .boolean()
    .default(false)
    .describe('The security key must verify its user (PIN or fingerprint); keys of other kinds are refused.'),
  extensions: unique(z.enum(EXTENSIONS))
    .optional()
    .describe(
      'What the certificate permits. Absent: permit-pty, permit-port-forwarding and permit-agent-forwarding for `adm`, none for `agt` and `atm`.',
    ),
});

const perDay = matching('not a quota', 'so many a day: 200/d', /^\d{1,9}\/d$/);

const actorName = matching(
  'not an actor name',
  'the type, a dash and a name of lower-case letters, digits, dots, dashes and underscores, at most 64 characters: agt-example',
  ACTOR_NAME,
);

export const actor = z.strictObject({
  name: actorName.describe('Unique; begins with the type and a dash.'),
  type: actorType.describe("`adm` (person), `agt` (agent) or `atm` (automation); equals the name's prefix."),
  principals: filled(
    principal,
    'an actor without principals could log in as anyone',
    'at least one principal',
  ).describe('SSH principals that certificates may name; all of them where a request names none.'),
  ttl_hours: hours(8760)
    .optional()
    .describe('TTL where a request names none. Absent: 8, or `max_ttl_hours` where that is less.'),
  max_ttl_hours: hours(8760).optional().describe("Longest TTL, never above the type's ceiling. Absent: the ceiling."),
  maturity: z.enum(MATURITIES).default('M0').describe('Maturity of the workload that the actor is for fetch and exec.'),
  tenant: tenant.optional().describe('Tenant that the gate is asked for. Absent: `policy.tenant`.'),
  allowed_subjects: filled(
    subject,
    'an actor without subjects could never be signed for',
    'leave the key out for the default',
  )
    .optional()
    .describe('Subjects that may act as this actor. Absent: the name, and `iam:` with the name.'),
  callers: selectors
    .optional()
    .describe("Who may ask: one entry must match, with all its keys. Absent: the daemon's own uid; empty: nobody."),
  options: options.prefault({}).describe('Certificate options.'),
  openbao_role: matching(
    'not a role name',
    'letters, digits, dots, dashes and underscores',
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
  )
    .nullable()
    .default(null)
    .describe("Role of OpenBao's SSH engine; null: the one of the type."),
  quota: z
    .strictObject({
      sign: perDay.optional().describe('Certificates in one UTC day, issued ones included: `200/d`. Absent: no limit.'),
      fetch: perDay.optional().describe('Fetches in one UTC day. Absent: no limit.'),
      exec: perDay
        .optional()
        .describe('Commands started in one UTC day, once for each route that they use. Absent: no limit.'),
    })
    .optional()
    .describe('How much the actor may be given in one day (UTC), counted from the ledger.'),
});

export const host = z.strictObject({
  name: matching(
    'not a host name',
    'letters, digits, dots and dashes',
    /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
  ).describe('Unique name.'),
  addresses: unique(
    matching(
      'neither an address nor a host name',
      '10.0.0.5 or bastion.example.net',
      /^[A-Za-z0-9:](?:[A-Za-z0-9._:-]{0,252}[A-Za-z0-9:])?$/,
    ),
  )
    .default([])
    .describe('Addresses or names under which the host answers.'),
  purpose: line(1024).default('').describe('What the host is for.'),
  host_certificate: z
    .strictObject({
      principals: filled(
        matching(
          'not a host name: clients read `*`, `?` and `!` in it as patterns',
          'a whole name such as bastion-1.example.net',
          HOST_PRINCIPAL,
        ),
        'a host certificate without principals would vouch for every host',
        'at least one host name',
      ).describe('Names that the certificate vouches for.'),
      ttl_hours: hours(8784).default(720).describe('Validity of the certificate.'),
      callers: selectors.default([]).describe('Who may ask for it; empty: nobody.'),
    })
    .nullable()
    .default(null)
    .describe('Where the host gets a certificate from this daemon; null: it does not.'),
});

export const inventoryFile = z.strictObject({
  version,
  actors: z.array(actor).default([]).describe('The names that certificates are issued to.'),
  hosts: z
    .array(host)
    .default([])
    .describe('Hosts: reference documentation, and host certificates where an entry asks for them.'),
});

export type RawActor = z.output<typeof actor>;
export type RawHost = z.output<typeof host>;
