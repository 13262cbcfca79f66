import { run as access } from './commands/access.ts';
import { run as actors } from './commands/actors.ts';
import { run as breakGlass } from './commands/break-glass.ts';
import { run as ca } from './commands/ca.ts';
import { run as completion } from './commands/completion.ts';
import { run as demo } from './commands/demo.ts';
import { run as explain } from './commands/explain.ts';
import { run as explainExec } from './commands/explain-exec.ts';
import { run as explainFetch } from './commands/explain-fetch.ts';
import { run as explainSign } from './commands/explain-sign.ts';
import { run as help } from './commands/help.ts';
import { run as hostCert } from './commands/host-cert.ts';
import { run as issue } from './commands/issue.ts';
import { run as knownHosts } from './commands/known-hosts.ts';
import { run as krl } from './commands/krl.ts';
import { run as ledgerAccept } from './commands/ledger-accept.ts';
import { run as ledgerExport } from './commands/ledger-export.ts';
import { run as ledgerQuery } from './commands/ledger-query.ts';
import { run as ledgerTail } from './commands/ledger-tail.ts';
import { run as ledgerVerify } from './commands/ledger-verify.ts';
import { run as lockdown } from './commands/lockdown.ts';
import { run as reload } from './commands/reload.ts';
import { run as revoke } from './commands/revoke.ts';
import { run as smokePolicy } from './commands/smoke-policy.ts';
import { run as sshConfig } from './commands/ssh-config.ts';
import { run as status } from './commands/status.ts';
import { run as version } from './commands/version.ts';

/** Every command that reads no config files, but for `sign`, which has a bundle to itself. */
export const onlineCommands = {
  access,
  actors,
  breakGlass,
  ca,
  completion,
  demo,
  explain,
  explainExec,
  explainFetch,
  explainSign,
  help,
  hostCert,
  issue,
  knownHosts,
  krl,
  ledgerAccept,
  ledgerExport,
  ledgerQuery,
  ledgerTail,
  ledgerVerify,
  lockdown,
  reload,
  revoke,
  smokePolicy,
  sshConfig,
  status,
  version,
};
