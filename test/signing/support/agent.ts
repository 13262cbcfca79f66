import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';

export interface RunningAgent {
  readonly socket: string;
  /** ssh-add against this agent. @throws where it exits with another code than 0 */
  add(...args: string[]): string;
  /** Ends the agent and removes its socket. */
  stop(): Promise<void>;
}

/** A real ssh-agent in the foreground, ended by its own handle. */
export async function startAgent(socket: string): Promise<RunningAgent> {
  const child: ChildProcess = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.stdout === null) throw new Error('ssh-agent has no output');
  // It says where it listens once it does.
  const ready = once(child.stdout, 'data');
  await Promise.race([ready, once(child, 'error').then(([error]) => Promise.reject(error))]);
  return {
    socket,
    add: (...args) =>
      execFileSync('ssh-add', args, {
        encoding: 'utf8',
        env: { ...process.env, SSH_AUTH_SOCK: socket },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill('SIGTERM');
        await gone;
      }
      rmSync(socket, { force: true });
    },
  };
}
