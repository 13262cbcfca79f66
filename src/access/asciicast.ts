import type { Terminal } from './command-runner.ts';
import type { RecordedSession } from './recorder.ts';

/**
 * Lines of an asciicast, version 2: one JSON text each, a header and then events in order of time.
 * https://docs.asciinema.org/manual/asciicast/v2/
 */
export function headerLine(session: RecordedSession, startedAtMs: number): string {
  const { terminal, term, command, actor, routes, requestId } = session;
  return line({
    version: 2,
    width: terminal.columns,
    height: terminal.rows,
    timestamp: Math.floor(startedAtMs / 1000),
    title: `${command} for ${actor}, request ${requestId}`,
    command,
    ...(term === '' ? {} : { env: { TERM: term } }),
    // Players leave alone what they do not know.
    warden: { request_id: requestId, actor, routes },
  });
}

export function resizeLine(elapsedMs: number, { columns, rows }: Terminal): string {
  return eventLine(elapsedMs, 'r', `${columns}x${rows}`);
}

/** What a terminal shows, as text: a character that comes in two pieces is written with the second. */
export class OutputLines {
  readonly #decoder = new TextDecoder('utf-8');

  /** "" where nothing is complete yet. */
  next(elapsedMs: number, bytes: Uint8Array): string {
    return this.#line(elapsedMs, this.#decoder.decode(bytes, { stream: true }));
  }

  /** What never became a character. */
  end(elapsedMs: number): string {
    return this.#line(elapsedMs, this.#decoder.decode());
  }

  #line(elapsedMs: number, text: string): string {
    return text === '' ? '' : eventLine(elapsedMs, 'o', text);
  }
}

function eventLine(elapsedMs: number, kind: 'o' | 'r', data: string): string {
  return line([Math.round(elapsedMs * 1000) / 1_000_000, kind, data]);
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`;
