import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Lanes } from '../src/access/lanes.ts';
import { createOpenBaoStore } from '../src/access/openbao-store.ts';
import { createToolRunner } from '../src/access/process-tool.ts';
import { realCommandFiles } from '../src/access/real-command-files.ts';
import { createSyntheticStore } from '../src/access/synthetic-store.ts';
import type { OpenBaoSettings, Snapshot } from '../src/config/snapshot.ts';
import { materializeDoubles } from '../src/doubles/materialize.ts';
import type { OpenBaoClient } from '../src/openbao/client.ts';
import { connectOpenBao } from '../src/openbao/connect.ts';
import { createLogin } from '../src/openbao/login.ts';
import type { TokenSource } from '../src/openbao/token-source.ts';
import { Tokens } from '../src/openbao/tokens.ts';
import { native } from '../src/unix/native.ts';
import { procConfinement } from './confinement.ts';
import { chooseRunner } from './runner/choose.ts';

export interface LaneDeps {
  readonly uid: number;
  /** The dev posture's doubles of `bao` and `key-cape` go there. */
  readonly stateDir: string;
  /** Where wardend-spawner listens; null: commands are children of the daemon's own. */
  readonly spawner: string | null;
}

/** Lanes, and what the daemon needs to hand them over to the next world. */
export interface BuiltLanes extends Lanes {
  readonly openbao: OpenBaoClient | null;
  /** The daemon's own login; null where no route needs it. */
  readonly tokens: TokenSource | null;
  close(): Promise<void>;
}

/** Synthetic values are stable within one run, and others in the next. */
const SEED = randomBytes(16).toString('hex');
const SYSTEM_PATH = ['/usr/local/bin', '/usr/bin', '/bin'];

/** The ways to secrets that a snapshot asks for; those of the former one where nothing of theirs changed. */
export function chooseLanes(
  snapshot: Snapshot,
  former: { snapshot: Snapshot; lanes: BuiltLanes } | null,
  deps: LaneDeps,
): BuiltLanes {
  if (former !== null && isDeepStrictEqual(basis(former.snapshot), basis(snapshot))) return former.lanes;
  return snapshot.settings.posture === 'dev' ? devLanes(snapshot, deps) : realLanes(snapshot, deps);
}

/** What the lanes hang on. */
function basis(snapshot: Snapshot): unknown {
  return [snapshot.settings.posture, snapshot.settings.openbao ?? null, needsLogin(snapshot), hasTools(snapshot)];
}

function needsLogin({ routes }: Snapshot): boolean {
  return [...routes.values()].some((route) => route.as === 'daemon');
}

function hasTools({ routes }: Snapshot): boolean {
  return [...routes.values()].some((route) => route.lane === 'tool');
}

/** Opens no connection, and no program but a double is in reach of a bare name. */
function devLanes(snapshot: Snapshot, { uid, stateDir, spawner }: LaneDeps): BuiltLanes {
  const doubles = join(stateDir, 'doubles');
  if (hasTools(snapshot)) materializeDoubles(doubles, { seed: SEED });
  return {
    store: createSyntheticStore(SEED),
    tools: createToolRunner({ ...ownIds(uid), path: [doubles, ...SYSTEM_PATH], env: {} }),
    commandFiles: realCommandFiles,
    confinement: procConfinement,
    runner: chooseRunner(ownIds(uid), spawner),
    openbao: null,
    tokens: null,
    close: async () => {},
  };
}

function realLanes(snapshot: Snapshot, { uid, spawner }: LaneDeps): BuiltLanes {
  const { posture, openbao = null } = snapshot.settings;
  const client = openbao === null ? null : connectTo(openbao, posture !== 'prod');
  const login = openbao?.login ?? null;
  const tokens =
    client !== null && login !== null && needsLogin(snapshot)
      ? new Tokens({ login: createLogin(login, client), client })
      : null;
  return {
    store:
      client === null || openbao === null
        ? null
        : createOpenBaoStore({ client, tokens, tier: openbao.tier ?? posture }),
    tools: createToolRunner({
      ...ownIds(uid),
      path: SYSTEM_PATH,
      env: openbao === null ? {} : toolEnvironment(openbao),
    }),
    commandFiles: realCommandFiles,
    confinement: procConfinement,
    runner: chooseRunner(ownIds(uid), spawner),
    openbao: client,
    tokens,
    async close() {
      await tokens?.close();
      await client?.close();
    },
  };
}

function connectTo(settings: OpenBaoSettings, acceptDoubles: boolean): OpenBaoClient {
  const { login } = settings;
  return connectOpenBao({ settings, login, acceptDoubles, peerUidOf: (fd) => native().peerCredentials(fd).uid });
}

/** Which OpenBao a tool speaks to is ours to say. */
function toolEnvironment({ address, ca_file: ca, namespace }: OpenBaoSettings): Record<string, string> {
  return {
    BAO_ADDR: address,
    ...(ca === null ? {} : { BAO_CACERT: ca }),
    ...(namespace === null ? {} : { BAO_NAMESPACE: namespace }),
  };
}

function ownIds(uid: number): { uid: number; gid: number; groups: readonly number[] } {
  return { uid, gid: process.getegid?.() ?? -1, groups: process.getgroups?.() ?? [] };
}
