import { type Route, WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import { readFetchRequest, wrapSeconds } from '../fetch-request.ts';
import type { Invocation } from '../invocation.ts';
import { columns } from '../output.ts';
import { explanationCode, explanationJson, printExplanation } from '../print-explanation.ts';
import { toJsonRoute } from '../route-json.ts';
import { runWith as exec } from './exec.ts';
import { run as fetch } from './fetch.ts';

/** The routes that the caller may ask for; with a name what would happen now and why; with --fetch or --exec the walk itself. */
export async function run(invocation: Invocation): Promise<number> {
  const { args } = invocation;
  const command = args.positionals(1);
  if (args.flag('exec') && args.flag('fetch')) throw usageError('--fetch or --exec, not both');
  if (args.flag('exec') && command.length === 0) {
    throw usageError('--exec needs a route and a command', 'warden access ROUTE --exec -- COMMAND');
  }
  if (args.flag('exec')) return exec(invocation, [args.positional(0)], command);
  if (command.length > 0) throw usageError('a command is for --exec', 'warden access ROUTE --exec -- COMMAND');
  if (args.positional(0) !== '') return args.flag('fetch') ? fetch(invocation) : explain(invocation);
  for (const name of ['fetch', 'ask'] as const) {
    if (args.flag(name)) throw usageError(`--${name} needs a route`, 'warden access lists them');
  }
  return list(invocation);
}

async function list(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const actor = args.string('actor') ?? '';
  const { routes, posture } = await withDaemon(invocation, (channel) =>
    channel.unary(fullName, methods.listRoutes, { actor }, { maxMessageBytes: 64 * 1024 * 1024 }),
  );
  routes.sort((a, b) => (a.id < b.id ? -1 : 1));
  if (out.json) out.object({ posture, routes: routes.map(toJsonRoute) });
  else if (out.quiet) for (const { id } of routes.filter(isUsable)) out.line(id);
  else if (routes.length === 0) out.line('no route of the catalogue is for an actor of yours');
  else for (const row of columns([HEAD, ...routes.map(toRow)])) out.line(row);
  return 0;
}

const HEAD = ['ROUTE', 'OWNER', 'NEEDS', 'CAN', 'FOR', 'TITLE'];

/** An actor whom the lattice refuses stands in brackets. */
function toRow(route: Route): string[] {
  const can =
    [route.fetchCapable ? 'fetch' : '', route.execCapable ? 'exec' : ''].filter(Boolean).join(' ') || 'nothing';
  const actors = route.actors.map(({ name, refusal }) => (refusal === '' ? name : `(${name})`));
  return [
    route.id,
    route.owner,
    `${route.requiredMaturity} ${route.dataClass}`,
    can,
    actors.join(' ') || '-',
    route.title,
  ];
}

function isUsable({ actors }: Route): boolean {
  return actors.some(({ usable, refusal }) => usable && refusal === '');
}

export async function explain(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const wrapTtlSeconds = wrapSeconds(args);
  const fetch = readFetchRequest(invocation, { fields: args.strings('field'), single: false, wrapTtlSeconds });
  const [answer, route] = await withDaemon(invocation, async (channel) => {
    try {
      const explained = await channel.unary(fullName, methods.explain, {
        sign: undefined,
        fetch,
        exec: undefined,
        ask: args.flag('ask'),
      });
      const { routes } = await channel.unary(fullName, methods.listRoutes, { actor: '' });
      return [explained, routes.find(({ id }) => id === fetch.route)] as const;
    } finally {
      fetch.openbaoToken.fill(0);
    }
  });
  if (out.json) out.object({ ...explanationJson(answer), route: route === undefined ? undefined : toJsonRoute(route) });
  else {
    if (route !== undefined) {
      out.line({ text: route.id, style: 'bold' }, route.title === '' ? '' : `: ${route.title}`);
      for (const row of columns(describe(route))) out.line(`  ${row}`);
    }
    printExplanation(answer, out);
  }
  return explanationCode(answer);
}

function describe(route: Route): string[][] {
  const place =
    route.lane === 'tool' ? ['tool', route.tool.join(' ')] : ['path', route.openbaoPath || 'none in this posture'];
  return [
    ['owner', `${route.owner}, lane ${route.lane}, walked as ${route.as}`],
    place,
    ['fields', route.fields.join(', ') || 'none in this posture'],
    ['secret', `required maturity ${route.requiredMaturity}, data class ${route.dataClass}`],
    ...(route.execCapable
      ? [
          ['injects', route.inject.join('; ') || 'nothing by itself'],
          ['runs', route.commands.join('; ') || 'any command'],
          ['for', `at most ${spoken(route.maxDurationSeconds)}${route.allowUnmasked ? ', --no-mask allowed' : ''}`],
        ]
      : []),
    ...route.actors.map(({ name, maturity, refusal }) => [
      'actor',
      `${name} (${maturity})${refusal === '' ? '' : `: ${refusal}`}`,
    ]),
  ];
}

function spoken(seconds: bigint): string {
  return seconds % 3600n === 0n ? `${seconds / 3600n}h` : seconds % 60n === 0n ? `${seconds / 60n}m` : `${seconds}s`;
}
