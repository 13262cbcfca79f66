import type { EnvPosture } from '../kernel/posture.ts';
import type { SecretDemand } from '../posture/lattice.ts';

export const LANES = ['openbao-kv', 'openbao-dynamic', 'tool'] as const;
export type Lane = (typeof LANES)[number];

/** Where a secret is in the store of one posture. Names only. */
export interface Location {
  readonly mount: string;
  readonly path: string;
  /** At least one; each is a key at the path. */
  readonly fields: readonly string[];
}

/** The owner's own tool: an argv, and which part of its output is the value. */
export interface Tool {
  /** `{actor}` and `{tenant}` may stand as whole elements, never as the first. */
  readonly argv: readonly string[];
  /** `json`: the value at `field` of one JSON object. `raw`: all of stdout less one newline at its end; `field` names it. */
  readonly output: { readonly format: 'raw' | 'json'; readonly field: string };
}

/** How one field reaches a command that is run with it. */
export type Injection =
  | { readonly kind: 'env'; readonly field: string; readonly variable: string }
  /** A file whose path is in the variable. */
  | { readonly kind: 'file'; readonly field: string; readonly variable: string }
  | { readonly kind: 'stdin'; readonly field: string }
  | { readonly kind: 'fd'; readonly field: string; readonly descriptor: number };

/** A command that may run with the secret. Elements of `argv` are literal; `*` is one of any, `**` at the end any number. */
export interface RouteCommand {
  readonly path: string;
  readonly argv: readonly string[];
  /** Lower-case hex; null: not pinned. */
  readonly sha256: string | null;
}

/** A unit of the system's manager whose credential is one field of the route. */
export interface RouteUnit {
  readonly unit: string;
  /** As `LoadCredential=` calls it. */
  readonly name: string;
  /** The workload that the unit is; among the route's actors. */
  readonly actor: string;
  /** Null: the route has one. */
  readonly field: string | null;
}

/** A catalogued way to one secret. It never holds the value. Frozen with its snapshot. */
export interface Route {
  readonly id: string;
  readonly title: string;
  readonly owner: string;
  readonly lane: Lane;
  /** Whose authority walks it. */
  readonly as: 'caller' | 'daemon';
  readonly secret: SecretDemand;
  /** Of the OpenBao lanes; a posture that is missing has no such secret. */
  readonly location: Readonly<Partial<Record<EnvPosture, Location>>>;
  /** Of the tool lane. */
  readonly tool: Tool | null;
  readonly fetchCapable: boolean;
  readonly execCapable: boolean;
  readonly inject: readonly Injection[];
  /** Names of the inventory. */
  readonly actors: readonly string[];
  /** For whom systemd itself may fetch it. Named `unit` and `name` together once in the whole catalogue. */
  readonly units: readonly RouteUnit[];
  /** Null: the file has no such list. */
  readonly commands: readonly RouteCommand[] | null;
  readonly allowAnyCommand: boolean;
  /** Of its caller's environment a command gets nothing that could steer it. */
  readonly pristine: boolean;
  readonly allowUnmasked: boolean;
  readonly allowConfinedCaller: boolean;
  readonly maxDurationMs: number;
}

/**
 * Where a route's secret is for this posture; null where the catalogue names no place. Dev has no store of its own:
 * its doubles answer at prod's names, so that what works there works at the same names later.
 */
export function locationFor({ location }: Route, posture: EnvPosture): Location | null {
  if (posture === 'dev') return location.dev ?? location.prod ?? location.test ?? null;
  return location[posture] ?? null;
}

/** The fields that the route gives in this posture, in the order of the catalogue. */
export function fieldsOf(route: Route, posture: EnvPosture): readonly string[] {
  if (route.tool !== null) return [route.tool.output.field];
  return locationFor(route, posture)?.fields ?? [];
}

/** The path as the store's policies name it; what the ledger keeps. */
export function storePath(lane: Lane, { mount, path }: Location): string {
  return lane === 'openbao-kv' ? `${mount}/data/${path}` : `${mount}/${path}`;
}
