import { placeOf } from '../src/config/problems.ts';
import type { Snapshot } from '../src/config/snapshot.ts';
import type { ConfigStore } from '../src/config/store.ts';
import type { FileLedger } from '../src/ledger/file-ledger.ts';
import type { Services, World } from '../src/operations/context.ts';
import type { Dependency, ProcessStatus, StatusResponse } from '../src/rpc/generated/warden/v1/warden.ts';
import type { PeerRegistry } from '../src/rpc/peer-registry.ts';
import { execNotices } from './exec-notices.ts';
import type { Probes } from './probes.ts';
import { usedUp } from './quotas.ts';
import { VERSION } from './version.ts';

export interface StatusSources {
  readonly world: () => World;
  readonly services: Services;
  readonly ledger: FileLedger;
  readonly store: ConfigStore;
  readonly probes: Probes;
  readonly peers: PeerRegistry;
  readonly mode: 'user' | 'system';
  readonly startedAt: number;
  readonly stateDir: string;
  readonly process: ProcessStatus;
  /** Of the last reload that changed anything. */
  readonly lastChanges: () => readonly string[];
  readonly handOverDue: () => boolean;
  /** What those who look from outside have to say: metrics that cannot be served. */
  readonly seeing: () => readonly string[];
}

/** The status as its reader may see it: paths, addresses and what changed are for administrators. */
export function describeStatus(sources: StatusSources, administrator: boolean): StatusResponse {
  const { services, ledger, store, peers } = sources;
  const { snapshot, authority } = sources.world();
  const { seq, hash, writable, refusalsCounted } = ledger.status();
  const problems = store.problems.map((problem) => `${placeOf(problem)}: ${problem.message}`);
  return {
    version: VERSION,
    posture: snapshot.settings.posture,
    mode: sources.mode,
    startedAt: new Date(sources.startedAt),
    snapshot: {
      generation: BigInt(snapshot.generation),
      hash: snapshot.hash,
      loadedAt: new Date(snapshot.loadedAt),
      actors: snapshot.actors.size,
      hosts: snapshot.hosts.length,
      changes: administrator ? [...sources.lastChanges()] : [],
      problems: administrator ? problems : problems.map(() => 'the newest config is not in force'),
      routes: snapshot.routes.size,
    },
    dependencies: dependencies(sources, administrator),
    ledger: { seq, hash, writable, refusalsCounted: BigInt(refusalsCounted) },
    notices: notices(sources, administrator),
    connections: peers.size,
    requestsInFlight: services.counters.requestsInFlight,
    certificatesIssued: BigInt(services.counters.certificatesIssued),
    refusals: BigInt(services.counters.refusals),
    backend: authority.backend,
    configDir: administrator ? store.dir : '',
    stateDir: administrator ? sources.stateDir : '',
    policy: policy(sources, administrator),
    pid: process.pid,
    process: sources.process,
    caller: undefined,
    commandsRunning: services.slots.running,
  };
}

/** How it is doing, in a line. */
export function summaryOf({ settings, actors, generation }: Snapshot, parts: readonly Dependency[]): string {
  const down = parts.filter(({ state }) => state === 'not_serving').map(({ name }) => name);
  const trouble = down.length === 0 ? '' : `; not serving: ${down.join(', ')} (see warden status)`;
  return `${settings.posture} posture, ${actors.size} actors, generation ${generation}${trouble}`;
}

function dependencies({ probes, ledger, store }: StatusSources, administrator: boolean): Dependency[] {
  const { writable } = ledger.status();
  const all: Dependency[] = [
    ...probes.states.map((state) => ({ ...state })),
    {
      name: 'ledger',
      state: writable ? 'serving' : 'not_serving',
      detail: writable ? 'durable' : 'cannot be written: nothing is released',
      hint: writable ? '' : 'make room on the disk of the state folder',
    },
    {
      name: 'config',
      state: store.problems.length === 0 ? 'serving' : 'not_serving',
      detail:
        store.problems.length === 0 ? 'in force' : `${store.problems.length} problems; the last good one is in force`,
      hint: store.problems.length === 0 ? '' : '`warden check` names each place',
    },
  ];
  return administrator ? all : all.map((one) => ({ ...one, detail: '', hint: '' }));
}

function policy({ world, services }: StatusSources, administrator: boolean): StatusResponse['policy'] {
  const { gate, snapshot } = world();
  const { policy: settings } = snapshot.settings;
  const glass = services.breakGlass.current();
  const status = gate?.status() ?? null;
  return {
    enabled: settings.enabled,
    protocol: settings.protocol,
    url: administrator ? settings.url : '',
    failClosed: settings.failClosed,
    breaker: status?.breaker.state ?? 'closed',
    asked: BigInt(status?.asked ?? 0),
    cacheHits: BigInt(status?.cacheHits ?? 0),
    shared: BigInt(status?.shared ?? 0),
    faults: BigInt(status?.faults ?? 0),
    cacheEntries: status?.cacheEntries ?? 0,
    inFlight: status?.inFlight ?? 0,
    breakGlassUntil: glass === null ? undefined : new Date(glass.until),
    breakGlassReleases: BigInt(glass?.releases ?? 0),
    double: status?.double ?? false,
  };
}

/** Sentences that an operator should read. */
function notices(sources: StatusSources, administrator: boolean): string[] {
  const { services, mode } = sources;
  const { snapshot } = sources.world();
  const { settings } = snapshot;
  const list: string[] = [];
  if (settings.posture === 'dev')
    list.push('dev posture: synthetic authority, doubles for what is outside; trust none of it');
  if (snapshot.embedded === true) list.push('no config folder: embedded defaults are in force');
  const { lockdown, actors } = services.restraints;
  if (lockdown !== null) {
    const why = administrator && lockdown.reason !== '' ? ` (${lockdown.reason})` : '';
    const since = new Date(lockdown.since).toISOString();
    list.push(`LOCKED DOWN since ${since}${why}: nothing is released; \`warden lockdown --lift\` ends it`);
  }
  if (!services.restraints.isWritten) {
    list.push('the revocation list on the disk is old: it could not be written; `warden krl` gives the one in force');
  }
  if (administrator && actors.size > 0) {
    const names = [...actors].sort();
    const more = names.length > 5 ? ` and ${names.length - 5} more` : '';
    list.push(`revoked actors: ${names.slice(0, 5).join(', ')}${more}`);
  }
  // For everybody: hosts have the list anyway, and agents look again at what they hold where its number changed.
  const { number, certificates, keys } = services.restraints.list();
  if (certificates + keys + actors.size > 0) {
    list.push(`revocation list ${number} is in force; certificates on it: ${certificates}, keys: ${keys}`);
  }
  const glass = services.breakGlass.current();
  if (glass !== null) {
    const why = administrator ? ` (${glass.openedBy}: ${glass.reason})` : '';
    list.push(
      `break-glass is open until ${new Date(glass.until).toISOString()}${why}; ${glass.releases} released under it`,
    );
  }
  if (settings.policy.enabled && !settings.policy.failClosed) {
    list.push('policy.fail_closed is false: a decision point that cannot be reached lets requests through');
  }
  if (settings.posture === 'prod' && !settings.policy.enabled)
    list.push('prod without a gate: policy.enabled is false');
  if (
    settings.posture === 'prod' &&
    settings.policy.enabled &&
    snapshot.routes.size > 0 &&
    !settings.policy.gate.includes('fetch')
  ) {
    list.push('prod: the decision point is not asked before a secret is fetched: `fetch` is not in policy.gate');
  }
  list.push(...execNotices(snapshot));
  if (
    settings.posture === 'prod' &&
    settings.policy.enabled &&
    snapshot.hosts.some(({ hostCertificate }) => hostCertificate !== null) &&
    !settings.policy.gate.includes('host')
  ) {
    list.push('prod: the decision point is not asked before a host certificate: `host` is not in policy.gate');
  }
  if (sources.handOverDue())
    list.push('registry hand-over due: actors, principals, TTLs or routes changed; `warden registry build`');
  if (mode === 'user') {
    list.push(
      'user mode: a program of the same uid can read the CA file and edit the config; it is for convenience and evidence',
    );
  }
  return administrator
    ? [...list, ...usedUp(services, sources.world()), ...sources.seeing(), ...snapshot.warnings]
    : list;
}
