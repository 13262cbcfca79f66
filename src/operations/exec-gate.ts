import { isKeptBack, mayPass } from '../access/command-environment.ts';
import type { PinnedFile } from '../access/command-files.ts';
import { commandText, matchCommand } from '../access/command-match.ts';
import { holdOf } from '../access/command-start.ts';
import { type PlannedRoute, planInjections, type Reference } from '../access/injection-plan.ts';
import type { Route } from '../access/route.ts';
import type { Actor } from '../inventory/actor.ts';
import { WardenError } from '../kernel/errors.ts';
import type { Secret } from '../kernel/secret.ts';
import type { RequestContext } from './context.ts';
import { allowedRoute, checkConfinement } from './route-gate.ts';

/** What a shell looks through where PATH is not set. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** What the local steps of an exec look at. */
export interface ExecAsked {
  readonly routes: readonly string[];
  readonly references: readonly Reference[];
  /** argv[0] first. */
  readonly argv: readonly string[];
  readonly environment: readonly (readonly [string, string | Secret])[];
  readonly additions: readonly (readonly [string, string | Secret])[];
  readonly noMask: boolean;
  /** Null: it has none. */
  readonly terminal: unknown;
  readonly stdin: boolean;
}

/**
 * Every route asked for, if this actor may ask for it, in the order asked for and each once.
 * @throws WardenError route_not_allowed naming none of them, route_unusable, invalid_request
 */
export async function plannedRoutes(asked: ExecAsked, actor: Actor, context: RequestContext): Promise<PlannedRoute[]> {
  const ids = [...new Set([...asked.routes, ...asked.references.map(({ route }) => route)])];
  if (ids.length === 0) {
    throw new WardenError('invalid_request', 'no route is named', {
      hint: 'name one with --route, or in an --env-file: NAME=warden://ROUTE',
    });
  }
  const routes: Route[] = [];
  for (const id of ids) routes.push(await allowedRoute(id, actor, context));
  const { posture, openbao = null } = context.world.snapshot.settings;
  const whole = new Set(asked.routes);
  const planned = planInjections({ routes, whole, references: asked.references, posture });
  if (posture !== 'dev' && openbao === null && routes.some(({ lane }) => lane !== 'tool')) {
    throw new WardenError('route_unusable', 'no OpenBao is configured', { hint: 'set openbao: in warden.yaml' });
  }
  checkAdditions(asked, planned);
  checkStdin(planned, asked);
  checkMasking(routes, asked);
  return planned;
}

/** What is kept back silently of an environment was wanted where it was added. */
function checkAdditions({ additions }: ExecAsked, planned: readonly PlannedRoute[]): void {
  const held = holdOf(planned);
  const kept = additions.find(([name]) => !mayPass(name, held));
  if (kept === undefined) return;
  if (isKeptBack(kept[0])) {
    throw new WardenError('invalid_request', `${kept[0]} is kept back from commands with secrets`, {
      hint: 'take it out of the --env-file, or set it in a shell: -- env NAME=VALUE COMMAND',
    });
  }
  const strict = planned.find((one) => !mayPass(kept[0], holdOf([one])));
  throw new WardenError('invalid_request', `${kept[0]} could steer the commands of ${strict?.route.id}`, {
    hint: 'leave it out: see "Which commands" in docs/exec.md',
  });
}

function checkStdin(planned: readonly PlannedRoute[], { terminal, stdin }: ExecAsked): void {
  const feeding = planned.find(({ injections }) => injections.some(({ kind }) => kind === 'stdin'));
  if (feeding === undefined || (terminal === null && !stdin)) return;
  const what = terminal !== null ? 'a terminal' : 'a stdin of yours';
  throw new WardenError(
    'invalid_request',
    `${feeding.route.id} is what the command reads on stdin, which leaves no room for ${what}`,
    { hint: 'add --no-stdin' },
  );
}

/** @throws WardenError masking_required */
function checkMasking(routes: readonly Route[], { noMask }: ExecAsked): void {
  const strict = routes.find(({ allowUnmasked }) => !allowUnmasked);
  if (!noMask || strict === undefined) return;
  throw new WardenError('masking_required', `${strict.id} does not allow unmasked output`);
}

/** A command that every route admits. */
export interface AdmittedCommand {
  /** Absolute, its folder resolved. */
  readonly program: string;
  /** Null where no route pins the file by its digest. To be closed. */
  readonly pinned: PinnedFile | null;
}

/**
 * The file that will be started, found as the caller's shell would find it and admitted by every route that lists
 * commands. @throws WardenError command_not_found | command_not_executable | command_not_allowed
 */
export async function admittedCommand(
  planned: readonly PlannedRoute[],
  { argv, environment, additions }: ExecAsked,
  { world, connection }: RequestContext,
): Promise<AdmittedCommand> {
  const { runner, commandFiles: files } = world.lanes;
  const [name = '', ...args] = argv;
  const path = [...additions, ...environment].find(([variable]) => variable === 'PATH')?.[1];
  const searchPath = typeof path === 'string' ? path : DEFAULT_PATH;
  const program = await files.place(await runner.find({ name, searchPath, connection }));
  let pinned: PinnedFile | null = null;
  try {
    for (const { route } of planned) {
      if (route.commands === null) continue;
      const commands = await Promise.all(
        route.commands.map(async (entry) => ({ ...entry, path: await files.place(entry.path) })),
      );
      // Read once, and only where an entry for this very program pins it.
      if (pinned === null && commands.some((one) => one.sha256 !== null && one.path === program)) {
        pinned = await files.pin(program);
      }
      const verdict = matchCommand(commands, { program, args, sha256: pinned?.sha256 ?? null });
      if (verdict === 'allowed') continue;
      const why = {
        other_program: `${program} is not a command that may run with ${route.id}`,
        other_arguments: `${program} may not run with ${route.id} and these arguments`,
        other_digest: `${program} is not the file that ${route.id} pins by its digest`,
      }[verdict];
      throw new WardenError('command_not_allowed', why, {
        hint: `${route.id} allows ${route.commands.map(commandText).join('; ') || 'none'}`,
      });
    }
    return { program, pinned };
  } catch (error) {
    pinned?.close();
    throw error;
  }
}

/**
 * A command is started by the daemon and outside whatever holds the caller: it must be no way out. Where the route
 * says which commands may run, it may also say that a sandbox may ask for them.
 * @throws WardenError caller_confined | caller_gone
 */
export function checkExecConfinement(planned: readonly PlannedRoute[], context: RequestContext): void {
  const exempt = planned.every(({ route }) => route.allowConfinedCaller && route.commands !== null);
  checkConfinement(exempt, 'the command', context);
}
