import { maskingBetweenTurns } from './mask-between-turns.ts';
import type { Masker } from './masker.ts';
import type { Recording } from './recorder.ts';

/** Of a session whose output is shown as it is: a recording is masked all the same, since it is kept and read by others. */
export function maskedRecording(recording: Recording, masker: Masker, monotonic: () => number): Recording {
  const mask = maskingBetweenTurns(masker, monotonic);
  return {
    shown: async (bytes) => recording.shown(await mask(bytes)),
    resized: (terminal) => recording.resized(terminal),
    async end(end) {
      // That the rest cannot be written, the end of the recording says.
      await recording.shown(masker.end()).catch(() => undefined);
      await recording.end(end);
    },
  };
}
