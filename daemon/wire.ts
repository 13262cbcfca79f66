import { setMaxListeners } from 'node:events';
import type { Socket } from 'node:net';
import { createCallerLimits } from '../src/callers/rate-limit.ts';
import type { ConfigParser } from '../src/config/parser.ts';
import { Reloader, type ReloadTrigger } from '../src/config/reload.ts';
import { type ConfigWatch, watchConfig } from '../src/config/watch.ts';
import { systemClock } from '../src/kernel/clock.ts';
import type { LedgerEvent } from '../src/ledger/events.ts';
import { queryLedger } from '../src/ledger/query.ts';
import type { RpcDeps } from '../src/rpc/admit.ts';
import { Health } from '../src/rpc/health.ts';
import { Holds } from '../src/rpc/holds.ts';
import { PeerRegistry } from '../src/rpc/peer-registry.ts';
import type { ServiceHost } from '../src/rpc/service.ts';
import { beginWithConfig } from './begin-with-config.ts';
import { credentialDoor } from './credentials.ts';
import type { Log } from './log.ts';
import { LogMeter } from './log-meter.ts';
import type { ServiceManager } from './notify.ts';
import { authorityBlobs, openServices } from './open-services.ts';
import type { Places } from './places.ts';
import { metAbsence, Probes } from './probes.ts';
import { processStatus } from './process-status.ts';
import { reloadNow, reportReloads } from './reloading.ts';
import { describeCause, logRequest } from './request-log.ts';
import { Seeing } from './seeing/seeing.ts';
import { createGrpcServer, type GrpcServer } from './server.ts';
import { describeStatus, summaryOf } from './status.ts';
import { StatusChanges } from './status-changes.ts';
import { hasTerminal } from './terminal.ts';
import { leaveWorld } from './world.ts';

export interface Daemon {
  readonly server: GrpcServer;
  /** Takes a connection of systemd's, which wants a credential for a unit. */
  readonly acceptCredential: (socket: Socket) => void;
  /** Reads the config again. Never throws: what went wrong is in the log and in status. */
  reload(trigger: ReloadTrigger): Promise<void>;
  /** From now on the config folder is watched. */
  watchConfig(): ConfigWatch;
  readonly socket: { readonly mode: number; readonly group: number | null };
  /** How it is doing, in a line for the service manager. */
  readonly summary: () => string;
  /** Calls back when the summary may have changed, at most once a second; returns how to stop. */
  onChange(listener: () => void): () => void;
  /** No new requests from now on. */
  stopAccepting(): void;
  /** After the last request: the end goes on record, and everything is closed. */
  close(): Promise<void>;
}

const PROBE_EVERY_MS = 10_000;

/** The composition root: what was begun and opened is put together here, once. @throws WardenError where the daemon cannot start */
export async function wire(places: Places, parser: ConfigParser, log: Log, manager: ServiceManager): Promise<Daemon> {
  const { configDir, stateDir } = places;
  const clock = systemClock;
  const uid = process.geteuid?.() ?? -1;
  const begun = await beginWithConfig(places, { parser, clock, uid, log });
  const { store, settings } = begun;
  const current = begun.worlds;

  const changes = new StatusChanges();
  const health = new Health();
  health.set('config', true);
  const kept = await openServices(places, {
    ...{ clock, uid, log, settings },
    world: () => current.current,
    onLedgerEvent: (event) => onLedgerEvent(event, log, health, changes),
  });
  const { services, ledger, restraints } = kept;
  health.set('ledger', ledger.status().writable);
  health.set('release', restraints.lockdown === null);

  const peers = new PeerRegistry();
  const stopping = new AbortController();
  // Every stream that runs listens: as many as callers may have, and no more.
  setMaxListeners(0, stopping.signal);
  const startedAt = clock.now();
  const strangers = new LogMeter(() => clock.monotonic());
  const deps: RpcDeps = {
    peers,
    holds: new Holds(),
    limiter: createCallerLimits(
      () => current.current.snapshot.settings.limits,
      () => clock.monotonic(),
    ),
    services,
    world: () => current.current,
    enter: (world) => current.enter(world),
    stopping: stopping.signal,
    onInternalError: (error, method) =>
      log.error({ method, request_id: error.details.requestId, cause: describeCause(error) }, 'internal error'),
    spans: (trace, beganAt) => seeing.spans(trace, beganAt),
    onRequestEnd: (end) => {
      logRequest(end, log, strangers);
      seeing.requestEnded(end);
      // What served just now may be back, and what did not is not there.
      if (end.error === null ? probes.anyDown : metAbsence(end.error)) probes.soon();
      health.set('release', restraints.lockdown === null);
      changes.changed();
    },
  };
  const probes = new Probes(
    () => current.current,
    health,
    () => {
      changes.changed();
      // A key that an agent holds may be seen only now.
      void restraints.setAuthorities(authorityBlobs(current.current.authority));
    },
  );
  const statusSources = {
    world: () => current.current,
    services,
    ledger,
    store,
    probes,
    peers,
    mode: places.mode,
    startedAt,
    stateDir,
    process: await processStatus(),
    lastChanges: () => current.lastChanges,
    handOverDue: () => current.handOverDue,
    seeing: () => seeing.notices(),
  };
  const seeing = new Seeing(statusSources, log);
  // Once the folder is watched, loads that others ask for are told to the watch.
  let around: ConfigWatch['around'] = (load) => load();
  const loadAgain = (trigger: ReloadTrigger): Promise<void> =>
    manager
      .reloading(() => reloader.reload(trigger))
      .then(
        () => undefined,
        (cause: unknown) => log.error({ cause: String(cause) }, 'reload failed'),
      );
  const reload = (trigger: ReloadTrigger): Promise<void> => around(() => loadAgain(trigger));
  const reloader = new Reloader({
    store,
    // Whoever asks for a reload has mended something, perhaps where no file shows it.
    onReload: ({ trigger }) => {
      if (trigger !== 'rpc' && trigger !== 'signal') return;
      const { authority, openbao } = current.current;
      authority.retry?.();
      // Routes may have a login at OpenBao where certificates have none.
      openbao?.tokens?.retry();
    },
  });
  const host: ServiceHost = {
    ledger: {
      newest: (filter, limit, signal) => queryLedger(stateDir, filter, { limit, signal }),
      follow: (filter, signal) => ledger.follow(filter, signal),
    },
    issued: async function* (filter, signal) {
      for await (const { record } of queryLedger(stateDir, filter)) {
        if (signal.aborted) return;
        yield record;
      }
    },
    hasTerminal,
    status: async (administrator) => describeStatus(statusSources, administrator),
    onStatusChange: (listener) => changes.on(listener),
    reload: () => around(() => manager.reloading(() => reloadNow(reloader, store))),
  };
  reportReloads({
    store,
    worlds: current,
    ledger,
    health,
    log,
    breakGlass: services.breakGlass,
    onChange: () => {
      changes.changed();
      void restraints.setAuthorities(authorityBlobs(current.current.authority));
      void probes.run();
      void seeing.apply(current.current.snapshot.settings);
    },
  });
  await probes.run();
  probes.start(PROBE_EVERY_MS);
  const server = createGrpcServer(deps, host, health, log, strangers);
  const summary = (): string => summaryOf(current.current.snapshot, describeStatus(statusSources, false).dependencies);
  const mark = (kind: 'start' | 'stop'): Promise<void> =>
    ledger
      .append({ kind, outcome: 'ok', posture: settings.posture, generation: current.current.snapshot.generation })
      .then(
        () => undefined,
        // A daemon whose disk is full starts, refuses, and says so: it recovers when space returns.
        (cause: unknown) => log.error({ cause: String(cause) }, 'ledger cannot be written'),
      );
  await mark('start');
  await seeing.apply(settings);
  health.set('', true);

  return {
    server,
    acceptCredential: credentialDoor(deps, log, strangers, (end) => seeing.requestEnded(end)),
    reload,
    watchConfig() {
      const watch = watchConfig({
        dir: configDir,
        clock,
        onChange: (trigger) => loadAgain(trigger),
        onDegraded: (why) => log.warn({ why }, 'config watch degraded'),
      });
      around = watch.around;
      return watch;
    },
    socket: settings.socket,
    summary,
    onChange: (listener) => changes.on(listener),
    stopAccepting() {
      health.set('', false);
      health.close();
      stopping.abort();
    },
    async close() {
      probes.stop();
      kept.stopSweeping();
      reloader.close();
      await mark('stop');
      await seeing.close();
      await restraints.close();
      await ledger.close();
      await leaveWorld(current.current, null);
      await begun.parser.close();
    },
  };
}

function onLedgerEvent(event: LedgerEvent, log: Log, health: Health, changes: StatusChanges): void {
  const bad = event.event === 'unavailable' || event.event === 'rotation_failed' || event.event === 'space_short';
  const fields = {
    event: event.event,
    detail: event.detail,
    cause: event.cause === undefined ? undefined : String(event.cause),
  };
  if (bad) log.error(fields, 'ledger');
  else log.info(fields, 'ledger');
  if (event.event === 'unavailable') health.set('ledger', false);
  if (event.event === 'available') health.set('ledger', true);
  changes.changed();
}
