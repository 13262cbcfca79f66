import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { isAbsolute } from 'node:path';
import { usageError } from '../args.ts';
import { clean } from '../output.ts';
import type { Confirmer } from './confirm.ts';

type Env = Readonly<Record<string, string | undefined>>;

const DEFAULT_PROGRAM = '/usr/bin/ssh-askpass';
/** Nobody is there: then it is no. */
const PATIENCE_MS = 60_000;
const MAX_ANSWER = 1024;

/**
 * Asks as `ssh-add -c` has ssh-agent ask: SSH_ASKPASS (else /usr/bin/ssh-askpass) with the question and
 * SSH_ASKPASS_PROMPT=confirm; yes is exit code 0 with an empty answer or "yes". One question at a time.
 */
export class Askpass implements Confirmer {
  readonly #program: string;
  readonly #env: Env;
  #turn: Promise<unknown> = Promise.resolve();

  /** @throws WardenError invalid_request where there is no such program, since every use would be refused */
  constructor(env: Env) {
    this.#program = env.SSH_ASKPASS || DEFAULT_PROGRAM;
    this.#env = env;
    try {
      if (!isAbsolute(this.#program)) throw new Error('not absolute');
      accessSync(this.#program, constants.X_OK);
    } catch {
      throw usageError(
        `--confirm asks through ${clean(this.#program)}, which cannot be run`,
        'name a program in SSH_ASKPASS, or install ssh-askpass',
      );
    }
  }

  confirm(question: string, signal: AbortSignal): Promise<boolean> {
    const mine = this.#turn.then(() => (signal.aborted ? false : this.#ask(question, signal)));
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  #ask(question: string, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const child = spawn(this.#program, [clean(question)], {
        env: { ...this.#env, SSH_ASKPASS_PROMPT: 'confirm' },
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: PATIENCE_MS,
        signal,
      });
      let answer = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (answer.length < MAX_ANSWER) answer += text;
      });
      // A question that was taken back, and a program that does not start, are errors here: neither is a yes.
      child.on('error', () => resolve(false));
      child.on('close', (code) => resolve(code === 0 && /^(yes)?\s*$/i.test(answer)));
    });
  }
}
