import { readdirSync } from 'node:fs';
import { type Identity, whomToBecome } from '../../src/access/become.ts';
import type { CommandName, CommandRunner, CommandStart } from '../../src/access/command-runner.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import type { CallerProcess } from './caller-process.ts';
import { runnerCalls } from './calls.ts';
import { findAs } from './find-as.ts';
import { findProgram, foundOrThrow } from './find-program.ts';
import { launch } from './launch.ts';
import { resultOf } from './output-of.ts';
import { processOf } from './process-of.ts';
import { runningCommand } from './running.ts';
import type { ValueFiles } from './value-files.ts';
import { revealed } from './values.ts';

export interface OwnChildOptions {
  /** The daemon's own. As root it becomes whoever asks; else it serves its own uid alone. */
  readonly own: Identity;
  readonly valueFiles: ValueFiles;
}

/**
 * Commands as children of the daemon's own process. What a killed daemon left in memory files is removed here, and
 * descriptors that the daemon was started with are kept from every command.
 */
export function createOwnChildRunner({ own, valueFiles }: OwnChildOptions): CommandRunner {
  valueFiles.sweep();
  runnerCalls().sealDescriptors(readdirSync('/proc/self/fd').map(Number));

  return {
    async find({ name, searchPath, connection }: CommandName) {
      const identity = whomToBecome(connection.caller, own);
      const caller = processOf(connection);
      const found =
        identity === null
          ? findProgram(name, searchPath, caller.cwd)
          : await findAs({ name, searchPath, identity, caller }, valueFiles);
      return foundOrThrow(found, name);
    },
    async start(start: CommandStart) {
      const identity = whomToBecome(start.connection.caller, own);
      const caller = processOf(start.connection);
      const { program, copy, argv, terminal, jobControl, network } = start;
      if (copy === null) foundOrThrow(findProgram(program, '', caller.cwd), program);
      if (!network && identity === null) await mayLeaveNetwork(caller, valueFiles);
      const values = revealed(start);
      return runningCommand(
        await launch(
          { program, copy, args: argv.slice(1), ...values, terminal, jobControl, network, identity, caller },
          valueFiles,
        ),
      );
    },
  };
}

let userNamespaces: Promise<boolean> | null = null;

/** Whether this machine lets users make namespaces, tried once. @throws WardenError route_unusable */
async function mayLeaveNetwork(caller: CallerProcess, valueFiles: ValueFiles): Promise<void> {
  userNamespaces ??= tryNamespace(caller, valueFiles);
  if (await userNamespaces) return;
  userNamespaces = null;
  throw new WardenError('route_unusable', 'this machine lets no user make a network namespace', {
    hint: 'allow unprivileged user namespaces (kernel.unprivileged_userns_clone, AppArmor), or use the system mode',
  });
}

async function tryNamespace(caller: CallerProcess, valueFiles: ValueFiles): Promise<boolean> {
  const launched = await launch(
    {
      program: '/bin/sh',
      copy: null,
      args: ['-c', 'printf made'],
      env: new Map(),
      stdin: Buffer.alloc(0),
      files: new Map(),
      descriptors: new Map(),
      terminal: null,
      jobControl: false,
      network: false,
      identity: null,
      caller,
    },
    valueFiles,
  );
  return (await resultOf(launched)).stdout === 'made';
}
