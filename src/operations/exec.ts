import type { Variable } from '../access/command-environment.ts';
import type { RunningCommand, Terminal } from '../access/command-runner.ts';
import { commandStart } from '../access/command-start.ts';
import type { PlannedRoute, Reference } from '../access/injection-plan.ts';
import { maskedRecording } from '../access/masked-recording.ts';
import { type Mask, prepareMask } from '../access/masking/create-masker.ts';
import type { Recording } from '../access/recorder.ts';
import { routeQuestion } from '../access/route-question.ts';
import { type Walked, walkRoute } from '../access/walk.ts';
import type { Actor } from '../inventory/actor.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import type { Secret } from '../kernel/secret.ts';
import { askGate, type GateOutcome } from './ask-gate.ts';
import { correlationOf, type RequestContext } from './context.ts';
import { decideSubject } from './decide-subject.ts';
import { type AdmittedCommand, admittedCommand, checkExecConfinement, plannedRoutes } from './exec-gate.ts';
import type { ExecPeer, ExecStarted, Ran, StartedRoute } from './exec-peer.ts';
import { recordEnd } from './exec-record.ts';
import { ownerEvidence, routeEvidence } from './fetch.ts';
import { checkQuota } from './quota.ts';
import { checkLattice, checkStillThere, checkTier, resolveActor } from './route-gate.ts';
import { runCommand } from './run-command.ts';
import { checkStanding } from './standing.ts';
import { Trail } from './trail.ts';

export interface ExecInput {
  /** Ids, each with all that its `inject` says. */
  readonly routes: readonly string[];
  /** Single fields as variables. */
  readonly references: readonly Reference[];
  /** "": the one actor that admits the caller. */
  readonly actor: string;
  /** At least the command. */
  readonly argv: readonly string[];
  readonly environment: readonly Variable[];
  readonly additions: readonly Variable[];
  readonly pristine: boolean;
  readonly noMask: boolean;
  readonly noNetwork: boolean;
  /** Null: three pipes. */
  readonly terminal: Terminal | null;
  readonly jobControl: boolean;
  readonly stdin: boolean;
  /** The caller's own OpenBao token, for as long as the command runs; null: it has none. */
  readonly token: Secret | null;
  readonly subject: string;
  readonly idToken: string;
  readonly reason: string;
  readonly ticket: string;
}

/** One route on its way to the command, with a record of its own. */
interface OnItsWay extends PlannedRoute {
  readonly trail: Trail;
  readonly gate: GateOutcome;
}

/**
 * One command with secret values, from request to end. It reads top to bottom as its security argument: nothing below
 * a line runs unless every line above it held for each of the routes, and nothing is started whose record is not
 * durable in the ledger.
 */
export async function exec(input: ExecInput, peer: ExecPeer, context: RequestContext): Promise<void> {
  const { world, services, connection, signal } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('exec_start', context);
  /** Of the route that is looked at: a refusal is recorded on it. */
  let current = trail;
  const walks: Walked[] = [];
  let recording: Recording | null = null;
  let leaveSlot = (): void => {};
  try {
    trail.note({
      route: routeIds(input).join(','),
      ...(input.actor === '' ? {} : { actor: input.actor }),
      argv_hmac: services.ledger.argvHmac(input.argv),
      ...(input.reason === '' ? {} : { user_reason: input.reason }),
      ...(input.ticket === '' ? {} : { ticket: input.ticket }),
    });
    const actor = await resolveActor(input.actor, context);
    checkStanding({ actor: actor.name }, context);
    trail.note({ actor: actor.name, actor_type: actor.type, tenant: actor.tenant, workload_maturity: actor.maturity });

    const planned = await plannedRoutes(input, actor, context);
    await checkQuota('exec', actor, context, planned.length);

    checkExecConfinement(planned, context);

    const command = await admittedCommand(planned, input, context);
    trail.note({ command: command.program });

    for (const { route } of planned) {
      current = trail.fork({ route: route.id, ...routeEvidence(route) });
      checkLattice(route, actor, context);
      checkTier(route, context);
    }
    current = trail;

    const subject = await decideSubject(input, actor, context);
    trail.note({ subject: subject.id, ...(subject.claims === null ? {} : { claims_subject: subject.claims }) });

    const admitted: OnItsWay[] = [];
    for (const one of planned) {
      const { route } = one;
      current = trail.fork({ route: route.id, ...routeEvidence(route) });
      const question = routeQuestion({
        action: 'exec',
        route,
        actor,
        subject: subject.id,
        system: settings.policy.system,
        posture: settings.posture,
        command: command.program,
        reason: input.reason,
        ticket: input.ticket,
      });
      admitted.push({ ...one, trail: current, gate: await askGate(question, context, current) });
    }
    current = trail;

    leaveSlot = services.slots.take(connection.caller.uid);

    for (const { route, fields, trail: own } of admitted) {
      current = own;
      const walked = await walkRoute(world.lanes, {
        route,
        posture: settings.posture,
        fields,
        actor,
        connection,
        token: input.token,
        wrapSeconds: 0,
        correlation: correlationOf(context),
        signal,
      });
      walks.push(walked);
      own.note(ownerEvidence(walked.evidence));
    }
    current = trail;
    const start = commandStart(command.program, planned, walks, { ...input, connection });
    const mask = prepareMask(
      planned.flatMap(({ route }, index) =>
        [...(walks[index]?.fields.values() ?? [])].map((value) => ({ route: route.id, value })),
      ),
    );

    checkStillThere(context);
    const routes = await Promise.all(
      admitted.map(async ({ route, gate, trail: own }, index): Promise<StartedRoute> => {
        const receipt = await own.release();
        if (gate.opened) services.breakGlass.countRelease();
        return { route, gate, receipt, walked: walks[index] as Walked };
      }),
    );

    // The start is on record: from here on so is the end, whatever it is.
    current = trail.fork({}, 'exec_end');
    const began = services.clock.monotonic();
    recording = await beginRecording(input, actor, command, mask, context);
    const running = await world.lanes.runner.start(start);
    await requireUnchanged(command, running);
    // Nothing below throws before the command has come to its end.
    const facts = { actor, command, routes, unmasked: input.noMask ? [] : mask.tooShort };
    const ran = await attend(running, facts, input.noMask ? null : mask, recording, input, peer, context);
    const { end } = ran;
    await recording?.end(end);
    const durationMs = Math.round(services.clock.monotonic() - began);
    current.note({ bytes: ran.bytes, duration_ms: durationMs });
    if (end === null) {
      throw new WardenError('spawner_lost', 'the spawner went away while the command ran: nobody knows how it ended');
    }

    // Before the client hears of the end: what was leased for the command is gone when it is.
    const [receipt] = await Promise.all([recordEnd(ran, end, durationMs, current), ...walks.map((one) => one.undo())]);
    for (const walked of walks) walked.dispose();
    leaveSlot();
    // Where nobody listens any more, the record has it; who listens and does not read keeps nothing but this request.
    await peer.send({ kind: 'ended', ended: { ran, end, durationMs, receipt } }).catch(() => {});
  } catch (thrown) {
    await recording?.end(null);
    throw await current.refuse(asWardenError(thrown));
  } finally {
    for (const walked of walks) {
      walked.dispose();
      await walked.undo();
    }
    leaveSlot();
    input.token?.dispose();
  }
}

/** Each once, in the order asked for. */
export function routeIds({ routes, references }: Pick<ExecInput, 'routes' | 'references'>): string[] {
  return [...new Set([...routes, ...references.map(({ route }) => route)])];
}

/** Sessions at a terminal, where this type of actor's are recorded. @throws WardenError recording_failed */
async function beginRecording(
  { terminal, routes, references, environment, noMask }: ExecInput,
  actor: Actor,
  { program }: AdmittedCommand,
  mask: Mask,
  { services, requestId }: RequestContext,
): Promise<Recording | null> {
  if (terminal === null || services.recorder === null) return null;
  const term = environment.find(([name]) => name === 'TERM')?.[1];
  const recording = await services.recorder.begin({
    requestId,
    actor: actor.name,
    actorType: actor.type,
    routes: routeIds({ routes, references }),
    command: program.slice(program.lastIndexOf('/') + 1),
    terminal,
    term: typeof term === 'string' ? term : '',
  });
  return recording !== null && noMask ? maskedRecording(recording, mask.masker()) : recording;
}

/** While the command runs: its leases are renewed, its streams carried, and what leaves is masked. */
async function attend(
  running: RunningCommand,
  facts: ExecStarted,
  mask: Mask | null,
  recording: Recording | null,
  input: ExecInput,
  peer: ExecPeer,
  { world, services, signal }: RequestContext,
): Promise<Ran> {
  const stopKeeping = facts.routes.map(({ route, walked }) => services.keepLease(walked, route.id));
  try {
    if (!input.stdin && input.terminal === null) running.stdin?.end();
    // Nobody may listen any more: runCommand sees that too, and the command comes to its end.
    await peer.send({ kind: 'started', started: facts }).catch(() => {});
    return await runCommand(running, peer, {
      masker: () => mask?.masker() ?? null,
      maxDurationMs: Math.min(...facts.routes.map(({ route }) => route.maxDurationMs)),
      bytesPerSecond: world.snapshot.settings.limits.execOutputBytesPerSecond,
      timers: services.timers,
      monotonic: () => services.clock.monotonic(),
      signal,
      recording,
    });
  } finally {
    for (const stop of stopKeeping) stop();
  }
}

/** The file was another when its digest was read: what has been started is not what was admitted. */
async function requireUnchanged(command: AdmittedCommand, running: RunningCommand): Promise<void> {
  if (command.pinned === null || (await command.pinned.unchanged())) return;
  running.signal('SIGKILL');
  await running.ended;
  throw new WardenError('command_not_allowed', `${command.program} was replaced while it was started`);
}
