import { digestOf } from './digest.ts';
import { parseYaml } from './parse-yaml.ts';
import type { ActorReference, ConfigSource, ParsedRoutes, RoutesContext } from './parser.ts';
import type { Problems } from './problems.ts';
import { toRoute } from './routes-from.ts';
import { type RawRoute, route, routesFile } from './schema/routes.ts';
import { type ScanRules, scanText, scanTree } from './value-scan.ts';
import { LineIndex } from './yaml/line-index.ts';
import { offsetOf, type YamlNode } from './yaml/node.ts';

const SCAN: ScanRules = {
  file: 'a route',
  mend: 'take the value out and rotate it; write the mount, the path and the field where it is',
  digests: new Set(['sha256']),
};

/**
 * routes.yaml as routes. Pure. Anything that looks like a secret value, in a comment too, refuses the file: then
 * nothing but the places of those is said, since another message might quote what is there.
 */
export function parseRoutes({ file, bytes }: ConfigSource, { posture }: RoutesContext): ParsedRoutes {
  const text = new TextDecoder('utf-8').decode(bytes);
  const inText = scanText(file, text, SCAN);
  if (inText.count > 0) return refused(inText);
  const { problems, value, data, root } = parseYaml(file, bytes, routesFile);
  if (root !== null) {
    const inTree = scanTree(file, text, root, SCAN);
    if (inTree.count > 0) return refused(inTree);
  }
  // Where some entries are wrong the others are held against the rules all the same: every problem in one go.
  const raw: readonly (RawRoute | null)[] =
    data?.routes ?? entries(value).map((entry) => route.safeParse(entry).data ?? null);
  refuseTwins(raw, problems);
  const routes = raw.flatMap((one, index) =>
    one === null ? [] : [toRoute(one, ['routes', index], posture, problems)],
  );
  const good = problems.count === 0;
  return {
    routes: good ? routes : [],
    actors: good && root !== null ? references(file, text, root, raw) : [],
    problems: problems.list(),
    warnings: problems.warnings(),
    digest: digestOf(good ? [...routes].sort((a, b) => (a.id < b.id ? -1 : 1)) : null),
    facts: [],
  };
}

function refused(problems: Problems): ParsedRoutes {
  return { routes: [], actors: [], problems: problems.list(), warnings: [], digest: digestOf(null), facts: [] };
}

function refuseTwins(raw: readonly (RawRoute | null)[], problems: Problems): void {
  const seen = new Set<string>();
  raw.forEach((one, index) => {
    if (one === null) return;
    if (seen.has(one.id)) {
      problems.at(['routes', index, 'id'], `the route \`${one.id}\` stands twice`, 'one entry, or another id');
    }
    seen.add(one.id);
  });
  const credentials = new Map<string, string>();
  raw.forEach((one, index) => {
    one?.units.forEach(({ unit, name }, at) => {
      const key = `${unit}/${name}`;
      const other = credentials.get(key);
      if (other !== undefined) {
        const message = `the credential \`${name}\` of ${unit} is a value of \`${other}\` already`;
        problems.at(['routes', index, 'units', at], message, 'one route for each credential');
      }
      credentials.set(key, one.id);
    });
  });
}

/** Which actors are named where: the inventory is another file, and may change without this one. */
function references(file: string, text: string, root: YamlNode, raw: readonly (RawRoute | null)[]): ActorReference[] {
  const lines = new LineIndex(text);
  const first = new Map<string, ActorReference>();
  raw.forEach((one, index) => {
    one?.actors.forEach((actor, at) => {
      if (first.has(actor)) return;
      const { line, column } = lines.at(offsetOf(root, ['routes', index, 'actors', at]));
      first.set(actor, { actor, place: `${file}:${line}:${column}` });
    });
  });
  return [...first.values()];
}

function entries(value: unknown): readonly unknown[] {
  const list = value !== null && typeof value === 'object' && 'routes' in value ? value.routes : undefined;
  return Array.isArray(list) ? list : [];
}
