import type { Masker } from './masker.ts';
import type { Recording } from './recorder.ts';

/** Of a session whose output is shown as it is: a recording is masked all the same, since it is kept and read by others. */
export function maskedRecording(recording: Recording, masker: Masker): Recording {
  return {
    shown: (bytes) => recording.shown(masker.push(bytes)),
    resized: (terminal) => recording.resized(terminal),
    async end(end) {
      // That the rest cannot be written, the end of the recording says.
      await recording.shown(masker.end()).catch(() => undefined);
      await recording.end(end);
    },
  };
}
