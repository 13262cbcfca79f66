import type { Socket } from 'node:net';
import type { Budget } from './budget.ts';
import { type Ask, decodeAsk, lengthOfAsk, MAX_LINE_BYTES, Malformed } from './protocol.ts';

export interface ReadAsk {
  readonly ask: Ask;
  /** Overwrites the values, and gives back their room. */
  dispose(): void;
}

/** The whole of what wardend asks. The socket is left paused, what came after it still in it. @throws Malformed */
export async function readAsk(socket: Socket, signal: AbortSignal, budget: Budget): Promise<ReadAsk> {
  const chunks: Buffer[] = [];
  let have = 0;
  let wanted: number | null = null;
  let all: Buffer | null = null;
  const dispose = (): void => {
    for (const held of [...chunks, all]) held?.fill(0);
    budget.give(wanted ?? 0);
    wanted = 0;
  };
  try {
    while (wanted === null || have < wanted) {
      const chunk = await nextChunk(socket, signal);
      chunks.push(chunk);
      have += chunk.length;
      if (wanted !== null) continue;
      const length = lengthOfAsk(Buffer.concat(chunks));
      if (length !== null && !budget.take(length)) throw new Malformed('too much at once');
      wanted = length;
    }
    all = Buffer.concat(chunks);
    for (const chunk of chunks.splice(0)) chunk.fill(0);
    if (all.length > wanted) socket.unshift(Buffer.from(all.subarray(wanted)));
    return { ask: decodeAsk(all.subarray(0, wanted)), dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

function nextChunk(socket: Socket, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.off('readable', look);
      socket.off('close', gone);
      signal.removeEventListener('abort', gone);
    };
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      settle();
      resolve(chunk);
    };
    const gone = (): void => {
      settle();
      reject(new Malformed(signal.aborted ? 'too slow' : 'cut short'));
    };
    socket.on('readable', look);
    socket.on('close', gone);
    socket.on('end', gone);
    signal.addEventListener('abort', gone);
    look();
  });
}

/** Hands on each line; one that is too long is an error. */
export function onLines(socket: Socket, line: (text: string) => void, failed: (error: Error) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    rest += text;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_BYTES) return failed(new Malformed('a line without end'));
    try {
      for (const one of lines) line(one);
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
