const waiting = new WeakMap<object, () => void>();

/** Runs once a message has been turned into bytes: what it was made of may then be overwritten. */
export function afterEncoding(message: object, run: () => void): void {
  waiting.set(message, run);
}

/** To be called by whoever has just encoded it, or will never do so. */
export function encoded(message: unknown): void {
  if (typeof message !== 'object' || message === null) return;
  const run = waiting.get(message);
  if (run === undefined) return;
  waiting.delete(message);
  run();
}
