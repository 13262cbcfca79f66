import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Route } from '../access/route.ts';
import type { Selector } from '../callers/caller.ts';
import type { Actor, Host } from '../inventory/actor.ts';
import { digestOf } from './digest.ts';
import { embeddedDefaults } from './embedded.ts';
import { deepFreeze, FrozenMap, sameContent } from './frozen.ts';
import {
  type ConfigParser,
  type ParsedInventory,
  type ParsedRoutes,
  type ParsedSettings,
  ParserFailure,
} from './parser.ts';
import { wholeFile } from './problems.ts';
import { type FolderContent, INVENTORY_FILE, type ReadFile, ROUTES_FILE, WARDEN_FILE } from './read-folder.ts';
import type { ConfigProblem, Settings, Snapshot } from './snapshot.ts';

/** Everything of a snapshot but what the store gives it: number and time. */
export type Candidate = Omit<Snapshot, 'generation' | 'loadedAt'> & { readonly embedded: boolean };

export type Loaded =
  | { readonly candidate: Candidate; readonly problems: readonly [] }
  | { readonly candidate: null; readonly problems: readonly ConfigProblem[] };

/** Actors frozen and compared in one turn of the event loop. */
const SLICE = 200;

/** There is no routes.yaml: nobody fetches anything. */
const NO_ROUTES: ParsedRoutes = { routes: [], actors: [], problems: [], warnings: [], digest: '', facts: [] };

/** Warnings shown of one kind; the rest are counted. */
const MAX_UNKNOWN = 20;

interface Kept<Parse> {
  readonly key: string;
  readonly parse: Parse;
}

interface FrozenActors {
  readonly from: ParsedInventory;
  readonly map: FrozenMap<string, Actor>;
  readonly usesDigests: boolean;
}

/** From a folder's bytes to one validated, frozen candidate. Remembers the last parse of each file by its hash. */
export class ConfigLoader {
  readonly #parser: ConfigParser;
  readonly #dir: string;
  #settings: Kept<ParsedSettings> | null = null;
  #inventory: Kept<ParsedInventory> | null = null;
  #routes: Kept<ParsedRoutes> | null = null;
  /** The actors of the last good inventory, frozen, and the parse that they came from. */
  #actors: FrozenActors | null = null;

  constructor(parser: ConfigParser, dir: string) {
    this.#parser = parser;
    this.#dir = dir;
  }

  /** `mayEmbed`: an empty folder stands for the dev posture's built-in defaults. */
  async load(content: FolderContent, mayEmbed: boolean): Promise<Loaded> {
    const embedded = mayEmbed && isEmpty(content);
    const { warden, inventory, routes: routesFile, problems } = embedded ? embeddedDefaults() : content;
    const missing = embedded ? [] : missingFiles(content);
    if (problems.some((problem) => problem.file === '.')) return { candidate: null, problems };
    const failures: ConfigProblem[] = [];
    const settings =
      warden === null
        ? null
        : await this.#parseSettings(warden).catch((thrown) => failed(WARDEN_FILE, thrown, failures));
    const context = settings?.context ?? { ceilingsSeconds: null, tenant: 'tenant:platform' };
    const actors =
      inventory === null
        ? null
        : await this.#parseInventory(inventory, context).catch((thrown) => failed(INVENTORY_FILE, thrown, failures));
    const routes =
      routesFile === null
        ? NO_ROUTES
        : await this.#parseRoutes(routesFile, settings?.settings?.posture ?? null).catch((thrown) =>
            failed(ROUTES_FILE, thrown, failures),
          );
    const parsed = [settings, actors, routes].flatMap((parse) => parse?.problems ?? []);
    const found = [...problems, ...missing, ...failures, ...parsed];
    if (found.length > 0 || settings === null || settings.settings === null || actors === null || routes === null)
      return { candidate: null, problems: found };
    const frozen = await this.#freezeActors(actors);
    const hosts = deepFreeze(actors.hosts);
    const candidate: Candidate = {
      hash: digestOf([settings.digest, actors.digest, ...(routes === NO_ROUTES ? [] : [routes.digest])]),
      settings: deepFreeze(settings.settings),
      actors: frozen.map,
      hosts,
      routes: new FrozenMap(routes.routes.map((route): [string, Route] => [route.id, deepFreeze(route)])),
      warnings: deepFreeze([
        ...settings.warnings,
        ...actors.warnings,
        ...routes.warnings,
        ...unknownActors(routes, frozen.map),
      ]),
      usesDigests: frozen.usesDigests || settingsUseDigests(settings.settings) || hosts.some(hostUsesDigests),
      embedded,
    };
    return { candidate, problems: [] };
  }

  async #parseSettings(file: ReadFile): Promise<ParsedSettings> {
    const kept = this.#settings;
    if (kept !== null && kept.key === file.hash && (await this.#factsHold(kept.parse))) return kept.parse;
    const parse = await this.#parser.settings({ file: WARDEN_FILE, bytes: file.bytes }, this.#dir);
    this.#settings = { key: file.hash, parse };
    return parse;
  }

  async #parseInventory(file: ReadFile, context: ParsedSettings['context']): Promise<ParsedInventory> {
    const key = `${file.hash} ${digestOf(context)}`;
    const kept = this.#inventory;
    if (kept !== null && kept.key === key && (await this.#factsHold(kept.parse))) return kept.parse;
    const parse = await this.#parser.inventory({ file: INVENTORY_FILE, bytes: file.bytes }, context);
    this.#inventory = { key, parse };
    return parse;
  }

  async #parseRoutes(file: ReadFile, posture: Settings['posture'] | null): Promise<ParsedRoutes> {
    const key = `${file.hash} ${posture}`;
    if (this.#routes?.key === key) return this.#routes.parse;
    const parse = await this.#parser.routes({ file: ROUTES_FILE, bytes: file.bytes }, { posture });
    this.#routes = { key, parse };
    return parse;
  }

  async #factsHold(parse: ParsedSettings | ParsedInventory): Promise<boolean> {
    return parse.facts.length === 0 || (await this.#parser.factsHold(parse.facts));
  }

  // An actor that did not change stays the same object: the diff of two snapshots is then a comparison of references.
  async #freezeActors(parse: ParsedInventory): Promise<FrozenActors> {
    if (this.#actors?.from === parse) return this.#actors;
    const before = this.#actors?.map;
    const entries: [string, Actor][] = [];
    let usesDigests = false;
    for (let at = 0; at < parse.actors.length; at += SLICE) {
      if (at > 0) await nextTurn();
      for (const actor of parse.actors.slice(at, at + SLICE)) {
        const old = before?.get(actor.name);
        const kept = old !== undefined && sameContent(old, actor) ? old : deepFreeze(actor);
        usesDigests ||= useDigests(kept.callers);
        entries.push([kept.name, kept]);
      }
    }
    this.#actors = { from: parse, map: new FrozenMap(entries), usesDigests };
    return this.#actors;
  }
}

// A parser that ran out of memory or time: nothing is remembered, so that the next load tries again.
function failed(file: string, thrown: unknown, problems: ConfigProblem[]): null {
  const why = thrown instanceof ParserFailure ? thrown.message : 'the parser failed';
  problems.push(wholeFile(file, `could not be read: ${why}`, 'fewer or simpler entries; the log has the cause'));
  return null;
}

function isEmpty(content: FolderContent): boolean {
  return content.warden === null && content.inventory === null && content.problems.length === 0;
}

function missingFiles(content: FolderContent): readonly ConfigProblem[] {
  const isFaulty = (file: string): boolean =>
    content.problems.some((problem) => problem.file === file || problem.file === '.');
  const problems: ConfigProblem[] = [];
  if (content.warden === null && !isFaulty(WARDEN_FILE)) {
    const hint =
      content.inventory === null
        ? '`warden init` makes a config folder'
        : `a ${WARDEN_FILE} with \`version: 1\` and \`posture: dev\`, \`test\` or \`prod\``;
    problems.push(wholeFile(WARDEN_FILE, 'there is no such file, and the posture is not guessed', hint));
  }
  if (content.inventory === null && content.warden !== null && !isFaulty(INVENTORY_FILE)) {
    problems.push(
      wholeFile(INVENTORY_FILE, 'there is no such file', `an ${INVENTORY_FILE} with \`version: 1\` and \`actors:\``),
    );
  }
  return problems;
}

/** A warning only: an actor that is removed must not keep the whole inventory from being read. */
function unknownActors(routes: ParsedRoutes, actors: ReadonlyMap<string, Actor>): readonly string[] {
  const unknown = routes.actors.filter(({ actor }) => !actors.has(actor));
  const lines = unknown
    .slice(0, MAX_UNKNOWN)
    .map(({ actor, place }) => `${place}: a route is for ${actor}, who is not in ${INVENTORY_FILE}`);
  const more = unknown.length - lines.length;
  return more > 0 ? [...lines, `${ROUTES_FILE}: ${more} more unknown actors`] : lines;
}

function settingsUseDigests(settings: Settings): boolean {
  return useDigests(settings.admins) || useDigests(settings.auditors) || useDigests(settings.policy.breakGlass.callers);
}

function hostUsesDigests(host: Host): boolean {
  return useDigests(host.hostCertificate?.callers ?? null);
}

function useDigests(selectors: readonly Selector[] | null): boolean {
  return selectors?.some((selector) => selector.exeSha256 !== undefined) ?? false;
}
