import type { Snapshot } from '../src/config/snapshot.ts';
import { WardenError } from '../src/kernel/errors.ts';
import { loadFolder, namedConfigFolder } from './config-offline.ts';
import type { Invocation } from './invocation.ts';

/**
 * The config in force, where doubles may run; null where there is none. @throws WardenError posture_forbids | config_invalid where the posture cannot be told
 */
export async function refuseInProd(invocation: Invocation): Promise<Snapshot | null> {
  const { dir, config, empty } = await loadFolder(namedConfigFolder(invocation));
  if (empty) return null;
  if (config === null) {
    throw new WardenError('config_invalid', `the config in ${dir} does not hold, so its posture cannot be told`, {
      hint: 'mend it (warden check), or name another folder with --config',
    });
  }
  if (config.settings.posture === 'prod') {
    throw new WardenError('posture_forbids', `the config in ${dir} says prod, and doubles do not run there`, {
      hint: 'run it with the --config of a dev or test folder',
    });
  }
  return config;
}
