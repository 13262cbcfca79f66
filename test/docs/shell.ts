import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';

export interface Ran {
  readonly code: number;
  /** Both streams, as a terminal would show them. */
  readonly output: string;
}

const MAX_OUTPUT = 1024 * 1024;

/** One bash, as a person has it: what a command sets, the next one finds. */
export class Shell {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #text = '';
  #heard: () => void = () => {};

  /** `program` starts a bash that reads its commands from stdin. Every process that it leaves behind is its group's. */
  constructor([file = '', ...args]: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
    this.#child = spawn(file, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        if (this.#text.length < MAX_OUTPUT) this.#text += chunk;
        this.#heard();
      });
    }
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
    this.#child.stdin?.on('error', () => {});
    this.#child.stdin?.write('exec 2>&1\n');
  }

  /** Types a command, and resolves when the prompt would be back. */
  run(command: string): Promise<Ran> {
    const mark = `--${randomBytes(9).toString('hex')}--`;
    this.#text = '';
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const end = new RegExp(`${mark} (\\d+)\\n`).exec(this.#text);
        if (end === null) return;
        this.#heard = () => {};
        resolve({ code: Number(end[1]), output: this.#text.slice(0, end.index) });
      };
      this.#heard = look;
      this.#ended.then(() => reject(new Error(`the shell ended in ${command}: ${this.#text}`)));
      // The commands read nothing of what is typed after them; `$?` is theirs again afterwards.
      this.#child.stdin?.write(
        `{ ${command}\n} < /dev/null\n__code=$?; printf '%s\\n' "${mark} $__code"; (exit $__code)\n`,
      );
    });
  }

  /** Ends it and whatever it still has running. */
  async close(): Promise<void> {
    if (this.#child.pid !== undefined) {
      try {
        process.kill(-this.#child.pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    await this.#ended;
  }
}
