import { closeSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { CommandEnd, CommandRunner, CommandStart } from '../../src/access/command-runner.ts';
import type { AttestedConnection } from '../../src/callers/connection.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import { isReasonCode } from '../../src/kernel/reason.ts';
import { native } from '../../src/unix/native.ts';
import { descriptorBehind } from '../attest.ts';
import { type Answer, type Ask, encodeAsk, type Order } from '../spawner/protocol.ts';
import { descriptorCalls } from './descriptor-calls.ts';
import type { Ends } from './launch.ts';
import { runningCommand } from './running.ts';
import { revealed } from './values.ts';

export interface SpawnerOptions {
  /** Where wardend-spawner listens. */
  readonly path: string;
  /** As whom it must: whoever answers gets values. */
  readonly uid?: number;
}

const ANSWER_MS = 15_000;
const MOST_ENDS = 3;

/**
 * Commands started by wardend-spawner, which alone can become somebody else. It is handed the caller's own connection
 * as the proof of who asks; what the command reads and writes goes straight between it and us, without the spawner.
 */
export function createSpawnerRunner({ path, uid = 0 }: SpawnerOptions): CommandRunner {
  return {
    async find({ name, searchPath, connection }) {
      const dialogue = await Dialogue.begin(path, uid, connection, { kind: 'find', name, searchPath }, null);
      try {
        const answer = await dialogue.next();
        if ('found' in answer) return answer.found;
        throw misfit();
      } finally {
        dialogue.close();
      }
    },
    async start(start: CommandStart) {
      const { program, copy, argv, terminal, jobControl, network, connection, stdin } = start;
      const ask = {
        kind: 'start' as const,
        program,
        copied: copy !== null,
        args: argv.slice(1),
        ...revealed(start),
        terminal,
        jobControl,
        network,
      };
      const dialogue = await Dialogue.begin(path, uid, connection, ask, copy);
      try {
        const answer = await dialogue.next();
        if (!('started' in answer)) throw misfit();
        const ends = asEnds(dialogue.takeEnds(), answer.started.kind, stdin === 'caller');
        return runningCommand({
          pid: answer.started.pid,
          ends,
          exit: dialogue.ended(),
          signal: (name) => dialogue.order({ signal: name }),
          onStop: (stopped) => {
            dialogue.stopped = stopped;
          },
        });
      } catch (error) {
        dialogue.close();
        throw error;
      }
    },
  };
}

/** One connection to the spawner. */
class Dialogue {
  readonly #socket: Socket;
  readonly #channel: number;
  readonly #lines: AsyncIterator<string>;

  /** Called each time that the command has stopped. */
  stopped: () => void = () => {};

  private constructor(socket: Socket, channel: number) {
    this.#socket = socket;
    this.#channel = channel;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** @throws WardenError spawner_unavailable | caller_gone */
  static async begin(
    path: string,
    uid: number,
    connection: AttestedConnection,
    ask: Ask,
    copy: number | null,
  ): Promise<Dialogue> {
    const caller = descriptorBehind(connection);
    const socket = await connect(path);
    const calls = descriptorCalls();
    const [ours, theirs] = calls.pair();
    try {
      const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
      if (native().peerCredentials(fd).uid !== uid) throw unavailable('somebody else answers in its place');
      calls.send(fd, [caller, theirs, ...(copy === null ? [] : [copy])]);
      for (const piece of encodeAsk(ask)) socket.write(piece);
      return new Dialogue(socket, ours);
    } catch (cause) {
      socket.destroy();
      closeSync(ours);
      throw cause instanceof WardenError ? cause : unavailable('it does not take what it is asked', cause);
    } finally {
      closeSync(theirs);
    }
  }

  /** @throws WardenError what the spawner refuses with | spawner_unavailable */
  async next(): Promise<Answer> {
    const slow = setTimeout(() => this.#socket.destroy(), ANSWER_MS);
    const line = await this.#line();
    clearTimeout(slow);
    if (line === null) throw unavailable('it turned wardend away, or gave no answer');
    if ('refused' in line) {
      const { code, message, hint } = line.refused;
      throw new WardenError(isReasonCode(code) ? code : 'internal', message, { hint });
    }
    return line;
  }

  /** How the command ended; null where the spawner was lost before it. Closes the connection. */
  async ended(): Promise<CommandEnd | null> {
    let line = await this.#line();
    while (line !== null && 'stopped' in line) {
      this.stopped();
      line = await this.#line();
    }
    this.close();
    return line !== null && 'ended' in line ? line.ended : null;
  }

  order(order: Order): void {
    if (this.#socket.writable) this.#socket.write(`${JSON.stringify(order)}\n`);
  }

  /** They are there before the answer that tells of them. @throws WardenError spawner_unavailable */
  takeEnds(): readonly number[] {
    const ends = descriptorCalls().receive(this.#channel, MOST_ENDS);
    if (ends === null) throw misfit();
    return ends;
  }

  #closed = false;
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    closeSync(this.#channel);
  }

  async #line(): Promise<Answer | null> {
    try {
      const { value, done } = await this.#lines.next();
      return done === true ? null : (JSON.parse(value) as Answer);
    } catch {
      return null;
    }
  }
}

function asEnds(descriptors: readonly number[], kind: 'pipes' | 'terminal', withStdin: boolean): Ends {
  const wanted = kind === 'terminal' ? 2 : withStdin ? 3 : 2;
  if (descriptors.length !== wanted) {
    for (const fd of descriptors) closeSync(fd);
    throw misfit();
  }
  const [a = -1, b = -1, c = -1] = descriptors;
  if (kind === 'terminal') return { kind, master: a, slave: b };
  return withStdin ? { kind, stdin: a, stdout: b, stderr: c } : { kind, stdin: null, stdout: a, stderr: b };
}

function connect(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once('error', (cause) => reject(unavailable(`nothing answers at ${path}`, cause)));
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

function unavailable(why: string, cause?: unknown): WardenError {
  return new WardenError(
    'spawner_unavailable',
    `the command cannot be started: ${why}`,
    cause === undefined ? {} : { cause },
  );
}

function misfit(): WardenError {
  return unavailable('the spawner is not of this version');
}
