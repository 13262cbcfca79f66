import { WardenError } from '../kernel/errors.ts';
import { OpenBaoFault } from '../openbao/fault.ts';
import { isOutage, outageError, privateWords } from '../openbao/outage.ts';
import type { Certificate } from '../ssh/certificate.ts';
import { criticalOptionsOf, extensionsOf } from './certificate-fields.ts';
import type { CertificatePlan } from './certificate-plan.ts';

export interface EngineRole {
  readonly mount: string;
  /** "" where no role was asked. */
  readonly role: string;
}

/** What the engine says where a setting of the role stands against the plan, and the setting's name. */
const SETTINGS: readonly (readonly [RegExp, string])[] = [
  [/setting key_id is not allowed/, 'allow_user_key_ids of role ROLE must be true'],
  [/ttl is larger than maximum allowed/, 'max_ttl of role ROLE is below the TTL asked for'],
  [/is not a valid value for valid_principals/, 'allowed_users of role ROLE does not list the principal'],
  [/not configured to allow any principals/, 'allowed_users of role ROLE is empty'],
  [/cert_type '\w+' is not allowed/, 'allow_user_certificates of role ROLE must be true'],
  [/critical options not on allowed list/, 'allowed_critical_options of role ROLE does not list the option'],
  [/extensions .* not on allowed list/, 'allowed_extensions of role ROLE does not list the extension'],
  [/failed to meet the key requirements/, 'allowed_user_key_lengths of role ROLE does not admit keys of this type'],
  [/Unknown role/i, 'the engine has no role ROLE: openbao.ssh.roles in warden.yaml names it'],
  [/no default issuer|CA keys? (is|are|has|have) not/i, 'the engine has no CA key yet'],
];
const SETUP = '`warden openbao setup --dry-run` shows what the daemon needs there';

/** What a failure of OpenBao is to whoever asked for a certificate. Anything unknown stays what it is. */
export function errorOfOpenBao(error: unknown, at: EngineRole): unknown {
  if (!(error instanceof OpenBaoFault)) return error;
  const refused = (message: string, hint: string): WardenError =>
    new WardenError('ca_refused', message, { hint, cause: error, privateDetail: privateWords(error) });
  const { kind } = error;
  if (isOutage(kind)) return outageError('ca_unavailable', kind, error);
  switch (kind) {
    case 'rejected': {
      const setting = SETTINGS.find(([pattern]) => pattern.test(error.said))?.[1].replace('ROLE', at.role);
      return refused(
        setting === undefined ? 'OpenBao refused the certificate' : `OpenBao refused the certificate: ${setting}`,
        SETUP,
      );
    }
    case 'forbidden':
      return refused(
        "the daemon's token may not sign with this role of OpenBao",
        `give its policy update on ${at.mount}/sign/${at.role === '' ? 'ROLE' : at.role}; ${SETUP}`,
      );
    case 'no_mount':
    case 'no_path':
    case 'no_value':
    case 'deleted':
      return refused(`OpenBao has no SSH engine at ${at.mount}`, `openbao.ssh.mount in warden.yaml names it; ${SETUP}`);
    case 'no_namespace':
      return refused('OpenBao has no such namespace', 'mend openbao.namespace in warden.yaml');
    case 'token_invalid':
      return refused(
        'OpenBao takes no token of the daemon',
        '`warden status` says how its login went; openbao.login names it',
      );
  }
}

/** What a certificate has that was not planned, named for the role's setting; null for nothing. Only additions count. */
export function unwantedExtensions(certificate: Certificate, plan: CertificatePlan): string | null {
  const extra = (has: readonly (readonly [string, string])[], wanted: readonly (readonly [string, string])[]) =>
    has.map(([name]) => name).find((name) => !wanted.some(([planned]) => planned === name));
  const option = extra(certificate.criticalOptions, criticalOptionsOf(plan.options));
  if (option !== undefined) return `option ${JSON.stringify(option)}`;
  const extension = extra(certificate.extensions, extensionsOf(plan.options));
  return extension === undefined ? null : `extension ${JSON.stringify(extension)}`;
}
