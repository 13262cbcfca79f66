/** Until one of the events, or the abort. */
export function anyOf(emitter: NodeJS.EventEmitter, events: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of events) emitter.off(event, done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    for (const event of events) emitter.on(event, done);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}
