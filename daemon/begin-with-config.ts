import type { ConfigParser } from '../src/config/parser.ts';
import { formatProblem } from '../src/config/problems.ts';
import type { Settings } from '../src/config/snapshot.ts';
import { ConfigStore } from '../src/config/store.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { WardenError } from '../src/kernel/errors.ts';
import type { Log } from './log.ts';
import type { Places } from './places.ts';
import { bindPosture } from './posture-record.ts';
import { Worlds } from './reloading.ts';
import { buildWorld } from './world.ts';

export interface Begun {
  readonly store: ConfigStore;
  /** To be closed when nothing is loaded any more. */
  readonly parser: ConfigParser;
  /** The first one is in force. */
  readonly worlds: Worlds;
  /** Of the first snapshot: what is fixed at start is as it says. */
  readonly settings: Settings;
}

/**
 * Reads the config for the first time and puts its world in force; every later load is prepared by it before it is
 * taken. @throws WardenError config_invalid | posture_forbids | ca_unavailable
 */
export async function beginWithConfig(
  { configDir, stateDir, spawner }: Places,
  {
    parser,
    clock,
    uid,
    log,
  }: { readonly parser: ConfigParser; readonly clock: Clock; readonly uid: number; readonly log: Log },
): Promise<Begun> {
  const worldDeps = {
    stateDir,
    uid,
    clock,
    credentialsDirectory: process.env.CREDENTIALS_DIRECTORY ?? null,
    agentSocket: process.env.SSH_AUTH_SOCK ?? null,
    spawner,
  };

  let worlds: Worlds | null = null;
  const store = new ConfigStore({
    dir: configDir,
    daemonUid: uid,
    parser,
    clock,
    mayEmbed: true,
    validators: [async (candidate) => (worlds === null ? [] : worlds.prepare(candidate))],
  });
  const first = await store.load();
  if (first.kind === 'refused') {
    await parser.close();
    throw new WardenError(
      'config_invalid',
      `${configDir} cannot be used:\n${first.problems.map(formatProblem).join('\n')}`,
      {
        hint: `mend it, then: warden check --config ${configDir}`,
      },
    );
  }
  const { settings } = first.snapshot;
  const promotion = bindPosture(stateDir, settings.posture);
  if (promotion !== null) {
    const { from, to, environment, signed_off_by, references } = promotion;
    log.warn({ from, to, environment, signed_off_by, references }, 'posture promoted');
  }
  const world = await buildWorld(first.snapshot, null, worldDeps);
  worlds = new Worlds(world, worldDeps, log);
  for (const warning of first.snapshot.warnings) log.warn({ warning }, 'config warning');
  return { store, parser, worlds, settings };
}
