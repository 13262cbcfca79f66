import { parentPort } from 'node:worker_threads';
import { factsHold } from './facts.ts';
import { parseInventory, parseSettings } from './parse.ts';
import { parseRoutes } from './parse-routes.ts';
import { systemFacts } from './system-facts.ts';
import { type Answer, type Job, SLICE, SLICED_LISTS } from './worker-messages.ts';

/** Entry of the parse worker: one job at a time, its answer in slices. */
let answers: Iterator<Answer, undefined> | null = null;

parentPort?.on('message', (job: Job) => {
  if (job.kind !== 'more') answers = answersTo(job);
  const next = answers?.next();
  if (next !== undefined && next.done !== true) parentPort?.postMessage(next.value);
});

function* answersTo(job: Exclude<Job, { kind: 'more' }>): Generator<Answer, undefined> {
  if (job.kind === 'facts') {
    yield { kind: 'done', value: factsHold(job.record, systemFacts()) };
    return;
  }
  const value: Record<string, unknown> & ReturnType<typeof parse> = { ...parse(job) };
  for (const list of SLICED_LISTS) {
    const entries = value[list];
    if (!Array.isArray(entries)) continue;
    for (let at = 0; at < entries.length; at += SLICE)
      yield { kind: 'slice', list, entries: entries.slice(at, at + SLICE) };
    Object.assign(value, { [list]: [] });
  }
  yield { kind: 'done', value };
}

function parse(job: Extract<Job, { kind: 'settings' | 'inventory' | 'routes' }>) {
  switch (job.kind) {
    case 'settings':
      return parseSettings(job.source, job.configDir, systemFacts());
    case 'inventory':
      return parseInventory(job.source, job.context, systemFacts());
    case 'routes':
      return parseRoutes(job.source, job.context);
  }
}
