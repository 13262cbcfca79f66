import { run as check } from './commands/check.ts';
import { run as doubleFlexAuth } from './commands/double-flex-auth.ts';
import { run as init } from './commands/init.ts';
import { run as inventoryScorecard } from './commands/inventory-scorecard.ts';
import { run as registryBuild } from './commands/registry-build.ts';
import { run as registryCheck } from './commands/registry-check.ts';

/**
 * The commands that read config files, with everything that takes (schemas, YAML, policy): four fifths of the
 * client's bytes, which the build puts into a bundle of their own, since every start pays for each byte parsed.
 */
export const offlineCommands = { check, doubleFlexAuth, init, inventoryScorecard, registryBuild, registryCheck };
