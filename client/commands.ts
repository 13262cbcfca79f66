import type { Command } from './command.ts';
import { BEGIN } from './table/begin.ts';
import { CERTIFICATES } from './table/certificates.ts';
import { EXPLAIN } from './table/explain.ts';
import { HOSTS } from './table/hosts.ts';
import { LEDGER } from './table/ledger.ts';
import { LOOK } from './table/look.ts';
import { OPENBAO } from './table/openbao.ts';
import { OPERATE } from './table/operate.ts';
import { POLICY } from './table/policy.ts';
import { POSTURE_COMMANDS } from './table/posture.ts';
import { REVOKE } from './table/revoke.ts';
import { SECRETS } from './table/secrets.ts';
import { TOOLS } from './table/tools.ts';

/** Every command, in the order of help. The only list there is. */
export const COMMANDS: readonly Command[] = [
  ...BEGIN,
  ...CERTIFICATES,
  ...SECRETS,
  ...LOOK,
  ...EXPLAIN,
  ...LEDGER,
  ...OPERATE,
  ...HOSTS,
  ...REVOKE,
  ...POLICY,
  ...POSTURE_COMMANDS,
  ...OPENBAO,
  ...TOOLS,
];
