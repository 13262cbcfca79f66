import type { FileRecorder } from '../src/access/file-recorder.ts';

const SWEEP_EVERY_MS = 3_600_000;

/** Recordings that are old enough are removed now, and each hour; returns how to stop. */
export function sweepNowAndThen(recorder: FileRecorder): () => void {
  void recorder.sweep();
  const timer = setInterval(() => void recorder.sweep(), SWEEP_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
