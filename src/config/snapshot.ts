import type { RecordingSettings } from '../access/recording-settings.ts';
import type { Route } from '../access/route.ts';
import type { Selector } from '../callers/caller.ts';
import type { Actor, ActorType, Host } from '../inventory/actor.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import type { PolicySettings } from '../policy/settings.ts';
import type { OpenBaoFile } from './schema/openbao.ts';

/** `warden.yaml`, validated. Times in milliseconds unless the name says otherwise, paths absolute. */
export interface Settings {
  readonly posture: EnvPosture;
  readonly backend: 'local' | 'openbao';
  readonly ca: {
    readonly key: string;
    readonly next: string | null;
    readonly retired: readonly string[];
    /** Which files these names stood for when the config was read. Absent: none of them was there. */
    readonly files?: readonly (string | null)[];
  };
  readonly ttlCeilingsSeconds: Readonly<Record<ActorType, number>>;
  readonly socket: { readonly mode: number; readonly group: number | null };
  /** Null: the daemon's own uid. */
  readonly admins: readonly Selector[] | null;
  readonly auditors: readonly Selector[];
  readonly policy: PolicySettings;
  readonly limits: Limits;
  readonly ledger: { readonly rotateBytes: number; readonly checkpointEvery: number };
  /** `off`, `unix:///path` or `HOST:PORT` on this machine. Absent where a test builds settings by hand: off. */
  readonly metrics?: { readonly listen: string };
  /** Absent where a test builds settings by hand: nothing is recorded. */
  readonly recording?: RecordingSettings;
  /** Null or absent: nobody is told of refusals. */
  readonly alerts?: AlertSettings | null;
  /** Null or absent: nothing is sent. */
  readonly telemetry?: TelemetrySettings | null;
  /** Null: the file has no such block. */
  readonly openbao?: OpenBaoSettings | null;
}

/** `openbao:` of warden.yaml, paths absolute, defaults applied; keys as in the file. */
export type OpenBaoSettings = OpenBaoFile;

/** When refusals are an alert, and which program is told. Milliseconds. */
export interface AlertSettings {
  readonly count: number;
  readonly windowMs: number;
  readonly quietMs: number;
  /** Null: the log alone. */
  readonly command: readonly string[] | null;
}

/** What an OpenTelemetry collector gets. */
export interface TelemetrySettings {
  readonly endpoint: string;
  readonly logs: boolean;
  readonly traces: boolean;
  readonly bearerFile: string | null;
}

export interface Limits {
  readonly perCallerRatePerSecond: number;
  readonly perCallerConcurrency: number;
  readonly connections: number;
  readonly execConcurrency: number;
  /** Of one command. */
  readonly execOutputBytesPerSecond: number;
}

/** One immutable, validated state of all config files. Frozen; requests hold the one they began with. */
export interface Snapshot {
  readonly generation: number;
  /** SHA-256 over the canonical content, hex. */
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly loadedAt: number;
  readonly settings: Settings;
  readonly actors: ReadonlyMap<string, Actor>;
  readonly hosts: readonly Host[];
  /** The catalogue of ways to secrets, by id; empty where there is no routes.yaml. */
  readonly routes: ReadonlyMap<string, Route>;
  /** What is allowed but an operator should know, with file and line. */
  readonly warnings: readonly string[];
  /** True where any selector, of any actor or setting, has `exe_sha256`. */
  readonly usesDigests: boolean;
  /** True where there are no files and the dev posture's built-in defaults stand. */
  readonly embedded?: boolean;
}

/** One thing wrong in a file: where, what, and what to write instead. */
export interface ConfigProblem {
  /** File name relative to the config folder. */
  readonly file: string;
  /** From 1; 0 where the whole file is meant. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
}
