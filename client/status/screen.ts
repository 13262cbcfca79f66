import type { Size } from './frame.ts';

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const TO_LINE_END = '\u001b[K';
const TO_SCREEN_END = '\u001b[J';

const KEYS: Readonly<Record<string, 'end' | 'interrupt' | 'suspend' | 'redraw'>> = {
  q: 'end',
  Q: 'end',
  '\u0003': 'interrupt',
  '\u0004': 'end',
  '\u001a': 'suspend',
  '\u000c': 'redraw',
};

export interface ScreenEvents {
  /** The size changed, the process came back to the foreground, or somebody asked for it. */
  redraw(): void;
  /** Somebody ended it; `signal` where it was a signal or its key. */
  end(signal: NodeJS.Signals | null): void;
}

/**
 * The other screen of a terminal: what stood there before comes back when it is left, however the program ends
 * (but for SIGKILL). Keys arrive as they are pressed and are not shown.
 */
export class Screen {
  readonly #write: (text: string) => void;
  readonly #events: ScreenEvents;
  #inside = false;
  readonly #onResize = (): void => this.#events.redraw();
  readonly #onSignal = (signal: NodeJS.Signals): void => this.#events.end(signal);
  readonly #onContinue = (): void => {
    this.#enter();
    this.#events.redraw();
  };
  readonly #onExit = (): void => this.#leave();
  readonly #onKeys = (bytes: Buffer): void => {
    for (const key of bytes.toString('latin1')) this.#press(key);
  };

  constructor(write: (text: string) => void, events: ScreenEvents) {
    this.#write = write;
    this.#events = events;
    process.on('exit', this.#onExit);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, this.#onSignal);
    process.on('SIGCONT', this.#onContinue);
    process.stdout.on('resize', this.#onResize);
    this.#enter();
  }

  get size(): Size {
    return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
  }

  /** Draws over what is there, without a flicker: one write, each line cleared behind its end. */
  draw(lines: readonly string[]): void {
    if (this.#inside) this.#write(`${HOME}${lines.map((line) => line + TO_LINE_END).join('\r\n')}${TO_SCREEN_END}`);
  }

  close(): void {
    this.#leave();
    process.off('exit', this.#onExit);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, this.#onSignal);
    process.off('SIGCONT', this.#onContinue);
    process.stdout.off('resize', this.#onResize);
  }

  #enter(): void {
    if (this.#inside) return;
    this.#inside = true;
    this.#write(ENTER);
    if (!process.stdin.isTTY) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#onKeys);
    process.stdin.resume();
  }

  #leave(): void {
    if (!this.#inside) return;
    this.#inside = false;
    if (process.stdin.isTTY) {
      process.stdin.off('data', this.#onKeys);
      process.stdin.pause();
      process.stdin.setRawMode(false);
    }
    this.#write(LEAVE);
  }

  #press(key: string): void {
    switch (KEYS[key]) {
      case 'end':
        this.#events.end(null);
        break;
      case 'interrupt':
        this.#events.end('SIGINT');
        break;
      case 'redraw':
        this.#events.redraw();
        break;
      case 'suspend':
        // The whole group, as the terminal itself would have done; SIGCONT brings the view back.
        this.#leave();
        process.kill(0, 'SIGTSTP');
        break;
    }
  }
}
