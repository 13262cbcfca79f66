import type { PinnedFile } from '../access/command-files.ts';
import type { RunningCommand } from '../access/command-runner.ts';
import { commandStart } from '../access/command-start.ts';
import { exitCode } from '../access/exit-code.ts';
import { maskedRecording } from '../access/masked-recording.ts';
import { type Mask, prepareMask } from '../access/masking/create-masker.ts';
import type { Recording } from '../access/recorder.ts';
import { type Walked, walkRoute } from '../access/walk.ts';
import type { Actor } from '../inventory/actor.ts';
import { asWardenError, WardenError } from '../kernel/errors.ts';
import { inStep, type Step } from '../kernel/spans.ts';
import { correlationOf, type RequestContext } from './context.ts';
import { decideExec, type ExecInput, routeIds } from './decide-exec.ts';
import { FOR_REAL, type OnRecord } from './decision-walk.ts';
import type { AdmittedCommand } from './exec-gate.ts';
import type { ExecPeer, ExecStarted, Ran, StartedRoute } from './exec-peer.ts';
import { recordEnd } from './exec-record.ts';
import { ownerEvidence } from './route-evidence.ts';
import { checkStillThere } from './route-gate.ts';
import { runCommand } from './run-command.ts';
import { Trail } from './trail.ts';

/**
 * One command with secret values, from request to end: decided step by step for each of its routes, its values read
 * only when every step held, and started only once that is durable in the ledger.
 * @throws WardenError recorded, with the number of its record
 */
export async function exec(input: ExecInput, peer: ExecPeer, context: RequestContext): Promise<void> {
  const { world, services, connection, signal } = context;
  const { settings } = world.snapshot;
  const trail = new Trail('exec_start', context);
  const at: OnRecord = { trail };
  const walks: Walked[] = [];
  let recording: Recording | null = null;
  let pinned: PinnedFile | null = null;
  let leaveSlot = (): void => {};
  try {
    const { actor, command, admitted } = await decideExec(input, context, at, FOR_REAL);
    pinned = command.pinned;

    leaveSlot = services.slots.take(connection.caller.uid);

    for (const { route, fields, trail: own } of admitted) {
      at.trail = own;
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
    at.trail = trail;
    const start = commandStart(command, admitted, walks, { ...input, connection });
    const mask = prepareMask(
      admitted.flatMap(({ route }, index) =>
        [...(walks[index]?.fields.values() ?? [])].map((value) => ({ route: route.id, value })),
      ),
    );

    checkStillThere(context);
    const released = await Promise.allSettled(
      admitted.map(async ({ route, gate, trail: own }, index): Promise<StartedRoute> => {
        const receipt = await own.release();
        if (gate.opened) services.breakGlass.countRelease();
        return { route, gate, receipt, walked: walks[index] as Walked };
      }),
    );

    const routes = released.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const refused = released.find((one) => one.status === 'rejected');
    if (refused !== undefined) {
      // What is on record as a start has an end there, too: nothing ran.
      if (routes.length > 0) at.trail = trail.fork({}, 'exec_end');
      throw refused.reason;
    }

    // The start is on record: from here on so is the end, whatever it is.
    at.trail = trail.fork({}, 'exec_end');
    const began = services.clock.monotonic();
    recording = await beginRecording(input, actor, command, mask, context);
    const running = await world.lanes.runner.start(start);
    await requireUnchanged(command, running);
    // Nothing below throws before the command has come to its end.
    const facts = { actor, command, routes, unmasked: input.noMask ? [] : mask.tooShort };
    const ran = await inStep(context, 'exec run', 'internal', async (_trace, step) => {
      const all = await attend(running, facts, input.noMask ? null : mask, recording, input, peer, context);
      tellRun(step, command, all);
      return all;
    });
    const { end } = ran;
    await recording?.end(end);
    const durationMs = Math.round(services.clock.monotonic() - began);
    at.trail.note({ bytes: ran.bytes, duration_ms: durationMs });
    if (end === null) {
      throw new WardenError('spawner_lost', 'the spawner went away while the command ran: nobody knows how it ended');
    }

    // Before the client hears of the end: what was leased for the command is gone when it is.
    const [receipt] = await Promise.all([recordEnd(ran, end, durationMs, at.trail), ...walks.map((one) => one.undo())]);
    for (const walked of walks) walked.dispose();
    leaveSlot();
    // Where nobody listens any more, the record has it; who listens and does not read keeps nothing but this request.
    await peer.send({ kind: 'ended', ended: { ran, end, durationMs, receipt } }).catch(() => {});
  } catch (thrown) {
    await recording?.end(null);
    throw await at.trail.refuse(asWardenError(thrown));
  } finally {
    for (const walked of walks) {
      walked.dispose();
      await walked.undo();
    }
    leaveSlot();
    pinned?.close();
    input.token?.dispose();
  }
}

function tellRun(step: Step, { program }: AdmittedCommand, { end, ended, bytes }: Ran): void {
  step.note({ 'warden.command': program, 'warden.bytes': bytes });
  const code = end === null ? null : exitCode(end);
  if (code !== null) step.note({ 'process.exit.code': code });
  if (code === null) step.fail('spawner_lost');
  else if (ended !== null) step.fail(ended.code);
  else if (code !== 0) step.fail(`exit ${code}`);
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
  if (recording === null || !noMask) return recording;
  return maskedRecording(recording, mask.masker(), () => services.clock.monotonic());
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
  const keeping = facts.routes.map(({ route, walked }) => services.keepLease(walked, route.id));
  const keepNoLonger = (): void => {
    for (const stop of keeping.splice(0)) stop();
  };
  // A client may take for hours what a command of a second has written: what was leased ends with the command.
  void running.exited.then(() => {
    keepNoLonger();
    for (const { walked } of facts.routes) void walked.undo();
  });
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
    keepNoLonger();
  }
}

/** The path is root's alone, and root has put another file there since: what was started is not what was admitted. */
async function requireUnchanged(command: AdmittedCommand, running: RunningCommand): Promise<void> {
  if (command.pinned === null || command.pinned.copy !== null || (await command.pinned.unchanged())) return;
  running.signal('SIGKILL');
  await running.ended;
  throw new WardenError('command_not_allowed', `${command.program} was replaced while it was started`);
}
