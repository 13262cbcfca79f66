import { isReserved } from '../access/command-environment.ts';
import type { Injection, Location, Route, RouteUnit } from '../access/route.ts';
import { typeOfName } from '../inventory/names.ts';
import { parseDuration } from '../kernel/duration.ts';
import type { EnvPosture } from '../kernel/posture.ts';
import type { Problems } from './problems.ts';
import type { RawRoute } from './schema/routes.ts';

type Path = readonly PropertyKey[];

const INJECTION_KINDS = ['env', 'file', 'stdin', 'fd'] as const;
const PLACEHOLDERS = ['{actor}', '{tenant}'];

/** One route with defaults applied; what breaks a rule between its keys is reported at its place. */
export function toRoute(raw: RawRoute, path: Path, posture: EnvPosture | null, problems: Problems): Route {
  checkLane(raw, path, problems);
  checkTool(raw, path, problems);
  checkStores(raw, path, problems);
  checkCommands(raw, path, posture, problems);
  if (raw.actors.length === 0) problems.warn([...path, 'actors'], `actors is empty: nobody may ask for ${raw.id}`);
  if (!raw.fetch_capable && !raw.exec_capable) {
    problems.warn(path, `${raw.id} is neither fetch_capable nor exec_capable: nobody can use it`);
  }
  const fields = fieldsEverywhere(raw);
  return {
    id: raw.id,
    title: raw.title,
    owner: raw.owner,
    lane: raw.lane,
    as: raw.as,
    secret: { requiredMaturity: raw.secret.required_maturity, dataClass: raw.secret.data_class },
    location: placesOf(raw),
    tool: raw.lane === 'tool' && raw.tool !== undefined ? raw.tool : null,
    fetchCapable: raw.fetch_capable,
    execCapable: raw.exec_capable,
    inject: toInjections(raw, path, fields, problems),
    actors: raw.actors,
    units: toUnits(raw, path, fields, problems),
    commands:
      raw.commands?.map(({ path: file, argv, sha256 }) => ({
        path: file,
        argv,
        sha256: sha256?.toLowerCase() ?? null,
      })) ?? null,
    allowAnyCommand: raw.allow_any_command,
    pristine: raw.pristine,
    allowUnmasked: raw.allow_unmasked,
    allowConfinedCaller: raw.allow_confined_caller,
    maxDurationMs: parseDuration(raw.max_duration) ?? 0,
  };
}

function checkLane(raw: RawRoute, path: Path, problems: Problems): void {
  if (raw.lane === 'tool') {
    if (raw.tool === undefined)
      problems.at(path, 'the lane `tool` needs `tool:`', 'tool: { argv: [key-cape, login, --json] }');
    if (raw.location !== undefined) {
      problems.at(
        [...path, 'location'],
        'a tool knows its own place: `location` is for the OpenBao lanes',
        'no `location`',
      );
    }
    if (raw.as === 'daemon') {
      problems.at([...path, 'as'], "a tool runs as the caller, never with the daemon's authority", 'as: caller');
    }
    return;
  }
  if (raw.tool !== undefined) {
    problems.at([...path, 'tool'], `the lane \`${raw.lane}\` runs no tool`, 'lane: tool, or no `tool`');
  }
  if (Object.values(raw.location ?? {}).every((place) => place === undefined)) {
    problems.at(
      path,
      `the lane \`${raw.lane}\` needs a \`location\``,
      'location: { prod: { mount: …, path: …, fields: […] } }',
    );
  }
}

function checkTool(raw: RawRoute, path: Path, problems: Problems): void {
  raw.tool?.argv.forEach((element, index) => {
    const place = [...path, 'tool', 'argv', index];
    if (index === 0 && (PLACEHOLDERS.includes(element) || element.startsWith('-') || element === '')) {
      problems.at(place, 'the first element is the program', 'a name or an absolute path');
    } else if (index === 0 && element.includes('/') && !element.startsWith('/')) {
      problems.at(
        place,
        'a relative path would run what lies in the folder of the caller',
        'a bare name or an absolute path',
      );
    }
    if (!PLACEHOLDERS.includes(element) && /\{(?:actor|tenant)\}/.test(element)) {
      problems.at(place, 'a placeholder stands for a whole element', '{actor} or {tenant} as an element of its own');
    }
  });
}

/** R2: structure is promoted, the store is another. */
function checkStores({ location }: RawRoute, path: Path, problems: Problems): void {
  const { prod, test } = location ?? {};
  if (prod !== undefined && test !== undefined && prod.mount === test.mount && prod.path === test.path) {
    problems.warn([...path, 'location', 'test'], 'test and prod have the same names: openbao.address must differ');
  }
}

function checkCommands(raw: RawRoute, path: Path, posture: EnvPosture | null, problems: Problems): void {
  raw.commands?.forEach(({ argv }, index) => {
    const at = argv.indexOf('**');
    if (at !== -1 && at !== argv.length - 1) {
      problems.at([...path, 'commands', index, 'argv', at], '`**` stands for the rest', '`**` as the last element');
    }
  });
  const unattended = raw.actors.some((actor) => typeOfName(actor) !== 'adm');
  if (posture === 'prod' && raw.exec_capable && unattended && raw.commands === undefined && !raw.allow_any_command) {
    problems.at(
      path,
      'in prod a route for agt or atm actors says which commands may run with it',
      'commands: […], or allow_any_command: true',
    );
  }
}

function toInjections(
  raw: RawRoute,
  path: Path,
  fields: ReadonlySet<string>,
  problems: Problems,
): readonly Injection[] {
  const taken = new Set<string>();
  return raw.inject.flatMap((entry, index): Injection[] => {
    const place = [...path, 'inject', index];
    if (!fields.has(entry.field)) {
      problems.at(
        [...place, 'field'],
        'the route has no such field',
        `one of ${[...fields].join(', ') || 'its fields'}`,
      );
    }
    const kinds = INJECTION_KINDS.filter((kind) => entry[kind] !== undefined);
    const [kind] = kinds;
    if (kind === undefined || kinds.length > 1) {
      problems.at(place, 'a field is injected in exactly one way', 'one of env, file, stdin and fd');
      return [];
    }
    const target = kind === 'stdin' ? 'stdin' : kind === 'fd' ? `descriptor ${entry.fd}` : String(entry[kind]);
    if (taken.has(target))
      problems.at(place, `\`${target}\` is given twice`, 'each variable, descriptor and stdin once');
    taken.add(target);
    if ((kind === 'env' || kind === 'file') && isReserved(target)) {
      problems.at([...place, kind], `\`${target}\` is not for secrets`, 'a variable that only the command reads');
    }
    const { field } = entry;
    if (kind === 'stdin') return [{ kind, field }];
    if (kind === 'fd') return [{ kind, field, descriptor: entry.fd ?? 3 }];
    return [{ kind, field, variable: target }];
  });
}

function toUnits(raw: RawRoute, path: Path, fields: ReadonlySet<string>, problems: Problems): readonly RouteUnit[] {
  if (raw.units.length > 0 && raw.lane !== 'tool' && raw.as === 'caller') {
    problems.at([...path, 'units'], 'systemd has no token of the owner', 'as: daemon');
  }
  if (raw.units.length > 0 && raw.lane === 'tool') {
    problems.at([...path, 'units'], 'a tool runs as its caller, and that would be root', 'an OpenBao lane, as: daemon');
  }
  if (raw.units.length > 0 && !raw.fetch_capable) {
    problems.at(
      [...path, 'units'],
      'a credential is the value itself, and the route does not give it',
      'fetch_capable: true',
    );
  }
  return raw.units.map(({ unit, name, actor, field = null }, index) => {
    const place = [...path, 'units', index];
    if (!raw.actors.includes(actor)) {
      problems.at(
        [...place, 'actor'],
        `\`${actor}\` may not ask for ${raw.id}`,
        `one of its actors, or ${actor} among them`,
      );
    }
    if (field === null ? fields.size > 1 : !fields.has(field)) {
      const message = field === null ? 'the route has several fields' : 'the route has no such field';
      problems.at(field === null ? place : [...place, 'field'], message, `field: one of ${[...fields].join(', ')}`);
    }
    return { unit, name, actor, field };
  });
}

function fieldsEverywhere(raw: RawRoute): ReadonlySet<string> {
  if (raw.tool !== undefined) return new Set([raw.tool.output.field]);
  return new Set(Object.values(raw.location ?? {}).flatMap((place) => place?.fields ?? []));
}

function placesOf({ location }: RawRoute): Readonly<Partial<Record<EnvPosture, Location>>> {
  return Object.fromEntries(
    (['prod', 'test', 'dev'] as const).flatMap((posture) => {
      const place = location?.[posture];
      return place === undefined ? [] : [[posture, { mount: place.mount, path: place.path, fields: place.fields }]];
    }),
  );
}
