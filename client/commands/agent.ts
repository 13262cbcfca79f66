import { fstatSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemTimers } from '../../src/kernel/timers.ts';
import { effectiveUid } from '../../src/unix/effective-uid.ts';
import { harden } from '../../src/unix/harden.ts';
import { native } from '../../src/unix/native.ts';
import { ensurePrivateDir } from '../../src/unix/private-dir.ts';
import { type Listener, listen } from '../../src/unix/socket.ts';
import { showAgentStatus } from '../agent/ask-status.ts';
import { Askpass } from '../agent/askpass.ts';
import { DaemonIssuer } from '../agent/daemon-issuer.ts';
import type { Events } from '../agent/events.ts';
import { Lock } from '../agent/lock.ts';
import { AGENT_VARIABLE, type AgentPlace, agentPlace } from '../agent/paths.ts';
import { Ring } from '../agent/ring.ts';
import { runCommand } from '../agent/run-command.ts';
import { AgentServer } from '../agent/server.ts';
import { Watch } from '../agent/watch.ts';
import { usageError } from '../args.ts';
import { connectDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { toJson } from '../output.ts';
import { toShown } from '../report-error.ts';

const LEAST_TTL_SECONDS = 10n;
/** For messages of the socket. */
const WHO = { program: 'warden agent', option: '--listen' } as const;

/** An ssh-agent with certificates of wardend: until it is told to stop, or for as long as one command runs. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out, env } = invocation;
  const command = args.positionals(0);
  const place = agentPlace(env, args.string('listen'));
  if (args.flag('status')) {
    if (command.length > 0) throw usageError('--status takes no command');
    return showAgentStatus(place.path, out);
  }
  const ttl = args.ttlSeconds('ttl');
  if (ttl !== 0n && ttl < LEAST_TTL_SECONDS) {
    throw usageError(
      `--ttl is below ${LEAST_TTL_SECONDS} seconds`,
      'a certificate must outlive the login that it is for',
    );
  }
  protect(command.length > 0);
  const events = eventsOf(invocation, command.length > 0);
  const confirmer = args.flag('confirm') ? new Askpass(env) : null;
  const watching: { watch: Watch | null } = { watch: null };
  const ring = new Ring([...new Set(args.strings('actor'))], {
    issuer: new DaemonIssuer(invocation),
    clock: systemClock,
    timers: systemTimers,
    random: Math.random,
    events: {
      ...events,
      note: (event, fields, sentence) => {
        if (event === 'issued') queueMicrotask(() => watching.watch?.ensure());
        events.note(event, fields, sentence);
      },
    },
  });
  // For a command the first need comes at once, and says the same.
  if (command.length === 0 || args.strings('actor').length === 0) await chooseActor(ring, events);
  const watch = new Watch(ring, () => connectDaemon(invocation), systemTimers);
  watching.watch = watch;
  const lock = new Lock(systemTimers);
  const allowForwarded = args.flag('forwarded');
  const server = new AgentServer(effectiveUid(), { ring, lock, confirmer, allowForwarded, events });
  const close = async (listener: Listener): Promise<void> => {
    await listener.close();
    watch.close();
    server.close();
    ring.close();
  };
  return command.length > 0
    ? serveCommand(invocation, command, place, server, close)
    : serve(invocation, place, server, close);
}

/** Before the first key exists. A command is the user's own: it keeps their umask and their core limit. */
function protect(forCommand: boolean): void {
  if (forCommand) native().forbidDump();
  else harden();
}

/** With more than one actor a person must choose; a daemon that is away is asked when something is needed. */
async function chooseActor(ring: Ring, events: Events): Promise<void> {
  try {
    await ring.chooseActor();
  } catch (error) {
    const { kind, message } = toShown(error);
    if (kind === 'usage') throw error;
    events.problem('no_daemon', {}, `${message}; it is asked again when a certificate is needed`);
    return;
  }
  if (ring.unresolved !== null) {
    throw usageError(`which actor? ${ring.unresolved}`, 'name one or more: warden agent --actor NAME');
  }
}

async function serve(
  { out }: Invocation,
  { path, privateFolder }: AgentPlace,
  server: AgentServer,
  close: (listener: Listener) => Promise<void>,
): Promise<number> {
  const listener = await listen({
    who: WHO,
    path,
    privateFolder,
    mode: 0o600,
    group: null,
    onConnection: server.accept,
  });
  const stopped = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
  });
  if (out.json) out.object({ event: 'listening', socket: path });
  // What `eval` takes, as from ssh-agent.
  else out.line(`SSH_AUTH_SOCK='${path.replaceAll("'", `'\\''`)}'; export SSH_AUTH_SOCK;`);
  if (!out.json && !out.quiet && fstatSync(1).isFIFO()) {
    // Whoever waits for this to end, as `eval "$(warden agent)"` does, waits for ever.
    out.error('warden agent: it runs until it is stopped: start it with & or as a user unit, and not inside $(...)');
  }
  await stopped;
  await close(listener);
  return 0;
}

async function serveCommand(
  { env }: Invocation,
  command: readonly string[],
  place: AgentPlace,
  server: AgentServer,
  close: (listener: Listener) => Promise<void>,
): Promise<number> {
  const parent = dirname(place.path);
  ensurePrivateDir(parent, effectiveUid(), place.privateFolder);
  const folder = mkdtempSync(join(parent, 'agent-'));
  try {
    const path = join(folder, 's');
    const listener = await listen({ who: WHO, path, mode: 0o600, group: null, onConnection: server.accept });
    try {
      return await runCommand(command, { ...env, SSH_AUTH_SOCK: path, [AGENT_VARIABLE]: path });
    } finally {
      await close(listener);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** On stderr as lines; as objects on stdout, unless that is the command's. */
function eventsOf({ out }: Invocation, forCommand: boolean): Events {
  const say = (event: string, fields: object, sentence: string): void => {
    const whole = { time: new Date().toISOString(), event, ...fields, message: sentence };
    if (!out.json) out.error(`warden agent: ${sentence}`);
    else if (forCommand) out.error(toJson(whole));
    else out.object(whole);
  };
  return {
    note: (event, fields, sentence) => {
      if (!out.quiet) say(event, fields, sentence);
    },
    problem: say,
  };
}
