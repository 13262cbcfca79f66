import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { usageError } from '../args.ts';
import { namedConfigFolder } from '../config-offline.ts';
import { type Check, exitCodeOf, unknown } from '../doctor/check.ts';
import { clocksOfHosts } from '../doctor/clock.ts';
import { gatherDaemon } from '../doctor/gather-daemon.ts';
import { gatherCa, gatherConfig, gatherLedger, gatherSocket, gatherState } from '../doctor/gather-files.ts';
import { gatherMachine } from '../doctor/gather-machine.ts';
import { gatherGate, gatherStore } from '../doctor/gather-outside.ts';
import { type DaemonFacts, judgeDaemon } from '../doctor/judge-daemon.ts';
import { judgeCa, judgeConfig, judgeLedger, judgeSocket, judgeState } from '../doctor/judge-files.ts';
import { judgeMachine } from '../doctor/judge-machine.ts';
import { judgeClock, judgeGate, judgeStore } from '../doctor/judge-outside.ts';
import { printChecks } from '../doctor/print.ts';
import type { Invocation } from '../invocation.ts';
import { stateFolder } from '../paths.ts';
import { socketsToTry } from '../reach-daemon.ts';

/** 0 healthy, 1 with findings, 2 where there is nothing to look at. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, env, out } = invocation;
  const now = Date.now();
  const daemon = await gatherDaemon(invocation);
  const { configDir, stateDir } = placesOf(daemon);
  const dir = args.string('config') === undefined && configDir !== '' ? configDir : namedConfigFolder(invocation);
  const state = resolve(args.string('state') || stateDir || stateFolder(env));
  const uid = daemonUid(daemon, [state, dir]);
  const { facts: configFacts, config } = await gatherConfig(dir);
  const stateFacts = await gatherState(state, uid);
  if (!daemon.reached && configFacts.empty && stateFacts.folder === null) {
    throw usageError(
      `there is nothing to look at: ${daemon.error.message}; no config in ${dir}, and no ${state}`,
      'name them: --socket, --config, --state; or begin: warden init',
    );
  }
  const mode = daemon.reached && daemon.status.mode !== '' ? daemon.status.mode : uid === 0 ? 'system' : 'user';
  const checks: Check[] = [
    ...judgeDaemon(daemon),
    ...socketsToTry(invocation).flatMap((path, index, all) => {
      const check = judgeSocket(gatherSocket(resolve(path), config, uid));
      return check.state === 'off' && index < all.length - 1 ? [] : [check];
    }),
    ...judgeConfig(configFacts),
    ...judgeState(stateFacts),
    judgeLedger(await gatherLedger(state)),
    ...(config === null ? [] : judgeCa(gatherCa(config, uid, mode === 'system' ? 'system' : 'user', now))),
  ];
  if (config === null) {
    checks.push(
      unknown('outside', 'without a config that holds neither the CA key, the decision point nor OpenBao is known'),
    );
  } else {
    const [gate, store] = await Promise.all([gatherGate(config, now), gatherStore(config, now)]);
    checks.push(...judgeGate(gate.facts), ...judgeStore(store.facts));
    if (gate.closed !== null)
      checks.push(
        unknown(
          'policy.authorised',
          `its credential: ${gate.closed}`,
          'run the doctor as root or as the user of the daemon',
        ),
      );
    const clocks = [gate.clock, store.clock].filter((clock) => clock !== null);
    const hosts = args.flag('hosts') ? await clocksOfHosts(config.hosts) : [];
    checks.push(...[...clocks, ...hosts].map(judgeClock));
  }
  checks.push(...judgeMachine(await gatherMachine(daemon.reached ? daemon.status.pid : null)));
  printChecks(checks, daemon.reached, out);
  return exitCodeOf(checks);
}

function placesOf(daemon: DaemonFacts): { configDir: string; stateDir: string } {
  return daemon.reached ? daemon.status : { configDir: '', stateDir: '' };
}

/** Whom the files should belong to: the daemon that answers, else the owner of its folders, else whoever asks. */
function daemonUid(daemon: DaemonFacts, folders: readonly string[]): number {
  if (daemon.reached && daemon.status.process !== undefined) return daemon.status.process.uid;
  for (const folder of folders) {
    try {
      return statSync(folder).uid;
    } catch {
      // The next one may tell.
    }
  }
  return process.getuid?.() ?? 0;
}
