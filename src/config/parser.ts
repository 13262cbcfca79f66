import type { Route } from '../access/route.ts';
import type { Actor, ActorType, Host } from '../inventory/actor.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import type { FactRecord } from './facts.ts';
import type { ConfigProblem, Settings } from './snapshot.ts';

/** One config file as it was read. */
export interface ConfigSource {
  /** Relative to the config folder. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** What inventory.yaml takes from warden.yaml. Null: not known, since that part of warden.yaml is wrong. */
export interface InventoryContext {
  readonly ceilingsSeconds: Readonly<Record<ActorType, number>> | null;
  readonly tenant: string;
}

interface Parsed {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  /** Digest of the content, whatever its spelling. */
  readonly digest: string;
  readonly facts: FactRecord;
}

export interface ParsedSettings extends Parsed {
  /** Null where there are problems. */
  readonly settings: Settings | null;
  readonly context: InventoryContext;
}

/** Where there are problems the actors and hosts are empty. */
export interface ParsedInventory extends Parsed {
  readonly actors: readonly Actor[];
  readonly hosts: readonly Host[];
}

/** What routes.yaml takes from warden.yaml. Null: not known, since warden.yaml is wrong. */
export interface RoutesContext {
  readonly posture: EnvPosture | null;
}

/** An actor that a route names, and the place of the first mention, as `file:line:column`. */
export interface ActorReference {
  readonly actor: string;
  readonly place: string;
}

/** Where there are problems the lists are empty. */
export interface ParsedRoutes extends Parsed {
  readonly routes: readonly Route[];
  /** Each once. */
  readonly actors: readonly ActorReference[];
}

/** Turns bytes into validated data. In the daemon it is a worker; offline and in tests it runs in process. @throws ParserFailure */
export interface ConfigParser {
  settings(source: ConfigSource, configDir: string): Promise<ParsedSettings>;
  inventory(source: ConfigSource, context: InventoryContext): Promise<ParsedInventory>;
  routes(source: ConfigSource, context: RoutesContext): Promise<ParsedRoutes>;
  /** Do the answers that an earlier parse took from the machine still hold? */
  factsHold(record: FactRecord): Promise<boolean>;
  close(): Promise<void>;
}

/** The parser itself gave up (out of memory, too slow, gone): says nothing of the file's content. */
export class ParserFailure extends Error {
  override readonly name = 'ParserFailure';
}
