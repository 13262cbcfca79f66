import type { Channel } from '../../src/rpc/client/channel.ts';
import type { StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';
import type { Output } from '../output.ts';
import type { ShownError } from '../report-error.ts';
import { changesBetween } from './changes.ts';
import { followStatus } from './follow.ts';
import { frame } from './frame.ts';
import { Screen } from './screen.ts';

const REDRAW_MS = 1_000;
const NEWS_KEPT = 100;

/** The status as a view that is drawn over in place, until `q` or a signal ends it. Resolves to the last status. */
export async function liveStatus(connect: () => Promise<Channel>, out: Output): Promise<StatusResponse | null> {
  const stop = new AbortController();
  let last: { status: StatusResponse; at: number } | null = null;
  let lost: { error: ShownError; since: number } | null = null;
  let endedBy: NodeJS.Signals | null = null;
  let screen: Screen | null = null;
  const news: { at: number; text: string }[] = [];
  const tell = (texts: readonly string[]): void => {
    for (const text of texts) news.push({ at: Date.now(), text });
    news.splice(0, news.length - NEWS_KEPT);
  };
  const draw = (): void => {
    if (screen === null || last === null) return;
    const view = { status: last.status, seenAt: last.at, now: Date.now(), lost, news };
    screen.draw(frame(view, screen.size).map((line) => out.render(line)));
    if (out.abandoned) stop.abort();
  };
  const timer = setInterval(draw, REDRAW_MS);
  try {
    for await (const sighting of followStatus(connect, stop.signal)) {
      screen ??= new Screen((text) => out.raw(text), {
        redraw: draw,
        end(signal) {
          endedBy = signal;
          stop.abort();
        },
      });
      if (sighting.kind === 'lost') {
        lost ??= { error: sighting.error, since: Date.now() };
        lost = { ...lost, error: sighting.error };
        tell([`lost the daemon: ${sighting.error.message}`]);
      } else {
        if (lost !== null) tell([`the daemon is back: pid ${sighting.status.pid}`]);
        if (last !== null) tell(changesBetween(last.status, sighting.status));
        lost = null;
        last = { status: sighting.status, at: Date.now() };
      }
      draw();
    }
  } finally {
    clearInterval(timer);
    screen?.close();
  }
  // As any program that does not handle the signal ends, so that loops of a shell end with it.
  if (endedBy !== null) process.kill(process.pid, endedBy);
  return last?.status ?? null;
}
