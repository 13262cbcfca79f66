import { type Location, type Route, storePath } from '../access/route.ts';
import { formatSeconds } from '../kernel/duration.ts';
import { changed, gainedAndLost, onOff } from './diff-actor.ts';
import { sameContent } from './frozen.ts';

/** What changed of the catalogue, a line each; who may ask first. */
export function routeChanges(before: ReadonlyMap<string, Route>, after: ReadonlyMap<string, Route>): readonly string[] {
  const lines: string[] = [];
  for (const id of before.keys()) if (!after.has(id)) lines.push(`route ${id}: removed`);
  for (const route of after.values()) {
    const old = before.get(route.id);
    if (old === undefined) lines.push(`route ${route.id}: added for ${route.actors.join(', ') || 'nobody'}`);
    else if (!sameContent(old, route)) {
      for (const change of describeRoute(old, route)) lines.push(`route ${route.id}: ${change}`);
    }
  }
  return lines;
}

function describeRoute(before: Route, after: Route): readonly string[] {
  const known = [
    ...gainedAndLost('actor', before.actors, after.actors),
    ...gainedAndLost('credential', before.units.map(unitWords), after.units.map(unitWords)),
    ...changed('required maturity', before.secret.requiredMaturity, after.secret.requiredMaturity),
    ...changed('data class', before.secret.dataClass, after.secret.dataClass),
    ...changed('walked as', before.as, after.as),
    ...changed('lane', before.lane, after.lane),
    ...changed('owner', before.owner, after.owner),
    ...changed('fetch', onOff(before.fetchCapable), onOff(after.fetchCapable)),
    ...changed('exec', onOff(before.execCapable), onOff(after.execCapable)),
    ...(['prod', 'test', 'dev'] as const).flatMap((posture) =>
      changed(`place in ${posture}`, place(before, before.location[posture]), place(after, after.location[posture])),
    ),
    ...changed('tool', before.tool?.argv.join(' ') ?? 'none', after.tool?.argv.join(' ') ?? 'none'),
    ...gainedAndLost('command', before.commands?.map(commandWords) ?? [], after.commands?.map(commandWords) ?? []),
    ...changed('any command', onOff(before.allowAnyCommand), onOff(after.allowAnyCommand)),
    ...changed('unmasked output', onOff(before.allowUnmasked), onOff(after.allowUnmasked)),
    ...changed('pristine', onOff(before.pristine), onOff(after.pristine)),
    ...changed('confined callers', onOff(before.allowConfinedCaller), onOff(after.allowConfinedCaller)),
    ...changed('longest run', formatSeconds(before.maxDurationMs / 1000), formatSeconds(after.maxDurationMs / 1000)),
    ...changed('title', before.title, after.title),
  ];
  return known.length > 0 ? known : ['how its fields reach a command changed'];
}

function place(route: Route, location: Location | undefined): string {
  return location === undefined ? 'none' : `${storePath(route.lane, location)} (${location.fields.join(', ')})`;
}

function unitWords({ unit, name, actor, field }: Route['units'][number]): string {
  return `${name} of ${unit} for ${actor}${field === null ? '' : ` (${field})`}`;
}

function commandWords({ path, argv, sha256 }: NonNullable<Route['commands']>[number]): string {
  return [path, ...argv, ...(sha256 === null ? [] : [`(SHA-256 ${sha256.slice(0, 12)}…)`])].join(' ');
}
