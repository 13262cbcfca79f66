import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Lanes } from '../src/access/lanes.ts';
import { createOpenBaoStore } from '../src/access/openbao-store.ts';
import { createToolRunner } from '../src/access/process-tool.ts';
import { realCommandFiles } from '../src/access/real-command-files.ts';
import { createSpawnedToolRunner } from '../src/access/spawned-tool.ts';
import { createSyntheticStore } from '../src/access/synthetic-store.ts';
import type { ToolRunner } from '../src/access/tool-runner.ts';
import type { OpenBaoSettings, Snapshot } from '../src/config/snapshot.ts';
import { materializeDoubles } from '../src/doubles/materialize.ts';
import { procConfinement, spawnedConfinement } from './confinement.ts';
import type { OpenBaoLink } from './openbao-link.ts';
import { chooseRunner } from './runner/choose.ts';

export interface LaneDeps {
  readonly uid: number;
  /** The dev posture's doubles of `bao` and `key-cape` go there. */
  readonly stateDir: string;
  /** Where wardend-spawner listens; null: commands are children of the daemon's own. */
  readonly spawner: string | null;
}

/** Synthetic values are stable within one run, and others in the next. */
const SEED = randomBytes(16).toString('hex');
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];

/** The ways to secrets that a snapshot asks for; those of the former one where nothing of theirs changed. */
export function chooseLanes(
  snapshot: Snapshot,
  former: { snapshot: Snapshot; lanes: Lanes; openbao: OpenBaoLink | null } | null,
  openbao: OpenBaoLink | null,
  deps: LaneDeps,
): Lanes {
  if (former?.openbao === openbao && isDeepStrictEqual(basis(former.snapshot), basis(snapshot))) return former.lanes;
  return snapshot.settings.posture === 'dev' ? devLanes(snapshot, deps) : realLanes(snapshot, openbao, deps);
}

/** What the lanes hang on. */
function basis(snapshot: Snapshot): unknown {
  return [snapshot.settings.posture, snapshot.settings.openbao ?? null, hasTools(snapshot)];
}

function hasTools({ routes }: Snapshot): boolean {
  return [...routes.values()].some((route) => route.lane === 'tool');
}

/** Opens no connection, and no program but a double is in reach of a bare name. */
function devLanes(snapshot: Snapshot, { uid, stateDir, spawner }: LaneDeps): Lanes {
  const doubles = join(stateDir, 'doubles');
  if (hasTools(snapshot)) materializeDoubles(doubles, { seed: SEED });
  return {
    store: createSyntheticStore(SEED),
    tools: toolRunner({ path: [doubles, ...SYSTEM_PATH], env: {} }, uid, spawner),
    commandFiles: realCommandFiles,
    confinement: spawner === null ? procConfinement : spawnedConfinement,
    runner: chooseRunner(ownIds(uid), spawner),
  };
}

function realLanes(snapshot: Snapshot, link: OpenBaoLink | null, { uid, spawner }: LaneDeps): Lanes {
  const { openbao = null } = snapshot.settings;
  return {
    store: link === null || openbao === null ? null : createOpenBaoStore({ ...link, tier: openbao.tier ?? null }),
    tools: toolRunner({ path: SYSTEM_PATH, env: openbao === null ? {} : openBaoVariables(openbao) }, uid, spawner),
    commandFiles: realCommandFiles,
    confinement: spawner === null ? procConfinement : spawnedConfinement,
    runner: chooseRunner(ownIds(uid), spawner),
  };
}

function toolRunner(
  options: { readonly path: readonly string[]; readonly env: Readonly<Record<string, string>> },
  uid: number,
  spawner: string | null,
): ToolRunner {
  const own = ownIds(uid);
  return spawner === null
    ? createToolRunner({ ...own, ...options })
    : createSpawnedToolRunner({ ...options, runner: chooseRunner(own, spawner) });
}

/** Which OpenBao a tool speaks to is ours to say. */
function openBaoVariables({ address, ca_file: ca, namespace }: OpenBaoSettings): Record<string, string> {
  return {
    BAO_ADDR: address,
    ...(ca === null ? {} : { BAO_CACERT: ca }),
    ...(namespace === null ? {} : { BAO_NAMESPACE: namespace }),
  };
}

function ownIds(uid: number): { uid: number; gid: number; groups: readonly number[] } {
  return { uid, gid: process.getegid?.() ?? -1, groups: process.getgroups?.() ?? [] };
}
