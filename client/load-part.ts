import type { Command } from './command.ts';

// What a command needs is loaded when it is run: .ci/build.mjs makes each import() of this file a bundle of its own.

/** A command of the bundle that reads no config files. */
export async function online(name: keyof typeof import('./online.ts').onlineCommands): ReturnType<Command['load']> {
  const { onlineCommands } = await import('./online.ts');
  return { run: onlineCommands[name] };
}

/** A command of the bundle that does. */
export async function offline(name: keyof typeof import('./offline.ts').offlineCommands): ReturnType<Command['load']> {
  const { offlineCommands } = await import('./offline.ts');
  return { run: offlineCommands[name] };
}

// Commands with a bundle to themselves.
export const loadSign: Command['load'] = () => import('./commands/sign.ts');
export const loadAgent: Command['load'] = () => import('./commands/agent.ts');
export const loadFetch: Command['load'] = () => import('./commands/fetch.ts');
export const loadExec: Command['load'] = () => import('./commands/exec.ts');
export const loadMcp: Command['load'] = () => import('./commands/mcp.ts');
