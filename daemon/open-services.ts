import { join } from 'node:path';
import { CommandSlots } from '../src/access/command-slots.ts';
import { createFileRecorder } from '../src/access/file-recorder.ts';
import { keepLease } from '../src/access/lease-keeper.ts';
import { NOT_RECORDED } from '../src/access/recording-settings.ts';
import type { Settings } from '../src/config/snapshot.ts';
import type { Clock } from '../src/kernel/clock.ts';
import { asWardenError } from '../src/kernel/errors.ts';
import { systemTimers } from '../src/kernel/timers.ts';
import { anchorPath } from '../src/ledger/anchor-path.ts';
import type { LedgerEvent } from '../src/ledger/events.ts';
import { FileLedger } from '../src/ledger/file-ledger.ts';
import type { Services, World } from '../src/operations/context.ts';
import { BreakGlass } from '../src/policy/break-glass.ts';
import { FileRestraints } from '../src/revocation/file-restraints.ts';
import type { CertificateAuthority } from '../src/signing/certificate-authority.ts';
import { SerialSource } from '../src/signing/serial.ts';
import { ensurePrivateDir } from '../src/unix/private-dir.ts';
import { executableIndex } from './executable-index.ts';
import type { Log } from './log.ts';
import type { Places } from './places.ts';
import { dayCounts } from './quotas.ts';
import { sweepNowAndThen } from './sweeps.ts';

export interface OpenedServices {
  readonly services: Services;
  readonly ledger: FileLedger;
  readonly restraints: FileRestraints;
  readonly stopSweeping: () => void;
}

export interface ServicesDeps {
  readonly clock: Clock;
  readonly uid: number;
  readonly log: Log;
  /** As they were at the start. */
  readonly settings: Settings;
  /** The one in force. */
  readonly world: () => World;
  readonly onLedgerEvent: (event: LedgerEvent) => void;
}

/**
 * What lives as long as the daemon: what stands in the state folder, and what operations need beside it.
 * @throws WardenError ledger_broken | ledger_unavailable | state_rolled_back
 */
export async function openServices(
  { stateDir, socketPath }: Places,
  { clock, uid, log, settings, world, onLedgerEvent }: ServicesDeps,
): Promise<OpenedServices> {
  const ledger = await FileLedger.open({
    dir: stateDir,
    clock,
    rotateBytes: settings.ledger.rotateBytes,
    checkpointEvery: settings.ledger.checkpointEvery,
    anchorFile: anchorPath(stateDir, socketPath),
    onEvent: onLedgerEvent,
  });

  const restraints = await FileRestraints.open({
    dir: stateDir,
    clock,
    ledger,
    lastSeq: () => ledger.status().seq,
    authorities: authorityBlobs(world().authority),
    onEvent: (what, cause) => log.warn({ what, cause: cause === undefined ? undefined : String(cause) }, 'revocations'),
  });

  const recorder = createFileRecorder({
    settings: () => world().snapshot.settings.recording ?? NOT_RECORDED,
    defaultDir: join(stateDir, 'recordings'),
    checkDir: (dir) => ensurePrivateDir(dir, uid, true),
    clock,
    onTrouble: (what, cause) => log.warn({ what, cause: String(cause) }, 'recording'),
  });
  const stopSweeping = sweepNowAndThen(recorder);
  const services: Services = {
    ledger,
    clock,
    serials: new SerialSource({ clock, lastUsed: ledger.lastSerial() }),
    restraints,
    breakGlass: new BreakGlass(clock),
    quotas: dayCounts(stateDir, clock, ledger.status().seq),
    facts: { daemonUid: uid, executables: executableIndex },
    counters: { certificatesIssued: 0, refusals: 0, requestsInFlight: 0 },
    timers: systemTimers,
    slots: new CommandSlots(() => world().snapshot.settings.limits.execConcurrency),
    recorder,
    keepLease: (walked, route) =>
      keepLease(walked, {
        timers: systemTimers,
        random: Math.random,
        onFailure: (error) => log.warn({ route, reason: asWardenError(error).code }, 'lease not renewed'),
      }),
  };
  return { services, ledger, restraints, stopSweeping };
}

/** Wire encodings of every key that it shows. */
export function authorityBlobs(authority: CertificateAuthority): Buffer[] {
  return authority.keys().map(({ publicKey }) => publicKey.blob);
}
