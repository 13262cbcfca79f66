import * as z from 'zod';
import { POSTURES } from '../../kernel/posture.ts';
import { isEndpoint, line, matching, path, text } from './common.ts';

const mount = matching(
  'not a mount path',
  'letters, digits, dashes and slashes, no slash at either end',
  /^[A-Za-z0-9_-]+(?:\/[A-Za-z0-9_-]+)*$/,
);
const role = matching(
  'not a role name',
  'letters, digits, dots, dashes and underscores',
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
);

const login = z
  .discriminatedUnion('method', [
    z.strictObject({
      method: z.literal('token_file').describe('A token from a file, kept fresh by another.'),
      token_file: path.describe('File that holds the token.'),
    }),
    z.strictObject({
      method: z.literal('approle').describe('AppRole.'),
      mount: mount.default('approle').describe('Mount of the login method.'),
      role_id_file: path.describe('File that holds the role id.'),
      secret_id_file: path.describe('File that holds the secret id.'),
    }),
    z.strictObject({
      method: z.literal('jwt').describe('A JWT from a file.'),
      mount: mount.default('jwt').describe('Mount of the login method.'),
      role: role.describe('Role to log in as.'),
      jwt_file: path.describe('File that holds the token to log in with.'),
    }),
    z.strictObject({
      method: z.literal('kubernetes').describe("The pod's service account."),
      mount: mount.default('kubernetes').describe('Mount of the login method.'),
      role: role.describe('Role to log in as.'),
      jwt_file: path
        .default('/var/run/secrets/kubernetes.io/serviceaccount/token')
        .describe("File that holds the service account's token."),
    }),
    z.strictObject({
      method: z.literal('cert').describe('A client certificate.'),
      mount: mount.default('cert').describe('Mount of the login method.'),
      role: role.nullable().default(null).describe('Role to log in as; null: the one that the certificate matches.'),
      cert_file: path.describe('Client certificate, PEM.'),
      key_file: path.describe('Its key, PEM.'),
    }),
  ])
  .nullable()
  .default(null)
  .describe('How the daemon logs in; `method` is token_file, approle, jwt, kubernetes or cert.');

export const openbao = z.strictObject({
  address: text(
    'not an address',
    'https://host:8200 or unix:///run/openbao.sock',
    (value) => isEndpoint(value, ['http:', 'https:', 'unix:']),
    { 'x-type': 'url' },
  )
    .default('https://127.0.0.1:8200')
    .describe("Address of OpenBao, also unix:///path. Always this one, never the caller's BAO_ADDR."),
  tier: z
    .enum(POSTURES)
    .optional()
    .describe(
      'How that OpenBao is secured; must equal `posture`, or routes give nothing of it. Absent: nobody said, so they give nothing.',
    ),
  ca_file: path.nullable().default(null).describe("CA certificates to trust, PEM; null: the system's."),
  namespace: line(256).nullable().default(null).describe('Namespace; null: none.'),
  login,
  ssh: z
    .strictObject({
      mount: mount.default('ssh').describe('Mount of the SSH engine.'),
      roles: z
        .strictObject({
          adm: role.default('adm').describe('Of `adm` actors.'),
          agt: role.default('agt').describe('Of `agt` actors.'),
          atm: role.default('atm').describe('Of `atm` actors.'),
        })
        .prefault({})
        .describe('Role of the engine by actor type.'),
      host_role: role
        .nullable()
        .default(null)
        .describe('Role that signs host certificates; null: hosts get none from OpenBao.'),
      ca_public_key: path
        .default('ca.pub')
        .describe("The CA's public key, pinned: certificates of another are refused."),
    })
    .prefault({})
    .describe('The SSH engine.'),
});

export type OpenBaoFile = z.output<typeof openbao>;
