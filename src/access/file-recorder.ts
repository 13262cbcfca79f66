import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { WardenError } from '../kernel/errors.ts';
import { headerLine, OutputLines, resizeLine } from './asciicast.ts';
import type { Terminal } from './command-runner.ts';
import type { RecordedSession, Recorder, Recording } from './recorder.ts';
import type { RecordingSettings } from './recording-settings.ts';

export interface FileRecorderOptions {
  /** As they are now: a reload may change them. */
  readonly settings: () => RecordingSettings;
  /** Where recordings are where the settings name no folder. */
  readonly defaultDir: string;
  /** @throws where others could read or change what is in the folder */
  readonly checkDir: (dir: string) => void;
  readonly clock: Clock;
  /** What could not be removed, or not be closed well. For the log. */
  readonly onTrouble: (what: string, cause: unknown) => void;
}

const NAME = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.cast$/;

export interface FileRecorder extends Recorder {
  /** Removes recordings that were last written to longer ago than they are kept; none that is being written. */
  sweep(): Promise<void>;
}

/** Recordings as files `REQUEST.cast`, 0600: the daemon's user and root may read them, and nobody else. */
export function createFileRecorder(options: FileRecorderOptions): FileRecorder {
  const { clock, onTrouble } = options;
  const writing = new Set<string>();
  const folder = (): string => options.settings().dir ?? options.defaultDir;

  return {
    async begin(session) {
      const { types, maxBytes } = options.settings();
      if (!types.includes(session.actorType)) return null;
      const dir = folder();
      const name = `${session.requestId}.cast`;
      try {
        await mkdir(dir, { recursive: true, mode: 0o700 });
        options.checkDir(dir);
        const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_APPEND } = constants;
        const file = await open(join(dir, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, 0o600);
        writing.add(name);
        const recording = new FileRecording(file, maxBytes, clock, (cause) => {
          writing.delete(name);
          if (cause !== null) onTrouble('a recording was not closed well', cause);
        });
        await recording.begin(session);
        return recording;
      } catch (cause) {
        throw failed(cause);
      }
    },

    async sweep() {
      const dir = folder();
      const oldest = clock.now() - options.settings().retentionMs;
      const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code !== 'ENOENT') onTrouble('recordings cannot be listed', cause);
        return [];
      });
      for (const name of names) {
        if (!NAME.test(name) || writing.has(name)) continue;
        const path = join(dir, name);
        try {
          if ((await stat(path)).mtimeMs < oldest) await rm(path);
        } catch (cause) {
          onTrouble('a recording cannot be removed', cause);
        }
      }
    },
  };
}

class FileRecording implements Recording {
  readonly #file: FileHandle;
  readonly #maxBytes: number;
  readonly #clock: Clock;
  readonly #onEnd: (cause: unknown) => void;
  readonly #output = new OutputLines();
  #started = 0;
  #written = 0;
  #ended = false;
  /** Output and resizes come from two sides: one line is whole before the next begins. */
  #last: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, maxBytes: number, clock: Clock, onEnd: (cause: unknown) => void) {
    this.#file = file;
    this.#maxBytes = maxBytes;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  async begin(session: RecordedSession): Promise<void> {
    this.#started = this.#clock.monotonic();
    try {
      await this.#write(headerLine(session, this.#clock.now()));
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  shown(bytes: Uint8Array): Promise<void> {
    return this.#write(this.#output.next(this.#elapsed(), bytes));
  }

  resized(terminal: Terminal): Promise<void> {
    return this.#write(resizeLine(this.#elapsed(), terminal));
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    try {
      await this.#write(this.#output.end(this.#elapsed()));
      await this.#file.sync();
      await this.#file.close();
      this.#onEnd(null);
    } catch (cause) {
      await this.#file.close().catch(() => undefined);
      this.#onEnd(cause);
    }
  }

  #elapsed(): number {
    return this.#clock.monotonic() - this.#started;
  }

  /** After a write that failed all others fail: a recording has no hole. */
  #write(line: string): Promise<void> {
    if (line === '') return this.#last;
    this.#last = this.#last.then(async () => {
      const bytes = Buffer.from(line);
      if (this.#written + bytes.length > this.#maxBytes) {
        throw new WardenError('recording_failed', `the recording has reached its ${this.#maxBytes} bytes`, {
          hint: 'a session may show so much and no more: recording.max in warden.yaml',
        });
      }
      this.#written += bytes.length;
      await this.#file.writeFile(bytes).catch((cause: unknown) => {
        throw failed(cause);
      });
    });
    // Whoever waits hears of it; where nobody does the next one will.
    this.#last.catch(() => undefined);
    return this.#last;
  }
}

function failed(cause: unknown): WardenError {
  if (cause instanceof WardenError && cause.code === 'recording_failed') return cause;
  return new WardenError('recording_failed', 'the session cannot be recorded', {
    cause,
    privateDetail: cause instanceof Error ? cause.message : String(cause),
  });
}
