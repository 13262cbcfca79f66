import { run as caRoll } from './commands/ca-roll.ts';
import { run as check } from './commands/check.ts';
import { run as doctor } from './commands/doctor.ts';
import { run as doubleFlexAuth } from './commands/double-flex-auth.ts';
import { run as doubleMaterialize } from './commands/double-materialize.ts';
import { run as init } from './commands/init.ts';
import { run as install } from './commands/install.ts';
import { run as inventoryScorecard } from './commands/inventory-scorecard.ts';
import { run as openbaoSetup } from './commands/openbao-setup.ts';
import { run as policy } from './commands/policy.ts';
import { run as policyExplain } from './commands/policy-explain.ts';
import { run as postureBlocker } from './commands/posture-blocker.ts';
import { run as postureCheck } from './commands/posture-check.ts';
import { run as posturePromote } from './commands/posture-promote.ts';
import { run as registryBuild } from './commands/registry-build.ts';
import { run as registryCheck } from './commands/registry-check.ts';

/**
 * The commands that read config files, with everything that takes (schemas, YAML, policy): four fifths of the
 * client's bytes, which the build puts into a bundle of their own, since every start pays for each byte parsed.
 */
export const offlineCommands = {
  caRoll,
  check,
  doctor,
  doubleFlexAuth,
  doubleMaterialize,
  init,
  install,
  inventoryScorecard,
  openbaoSetup,
  policy,
  policyExplain,
  postureBlocker,
  postureCheck,
  posturePromote,
  registryBuild,
  registryCheck,
};
