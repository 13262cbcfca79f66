import { runnerCalls } from '../../daemon/runner/calls.ts';
import { descriptorCalls } from '../../daemon/runner/descriptor-calls.ts';
import { native } from '../../src/unix/native.ts';
import type { Ids } from './support.ts';

/** Makes this test process somebody else, with no way back: a file that calls it has its own (`pool: forks`). */
export function becomeForGood({ uid, gid, groups }: Ids): void {
  // Loaded while everything can be read.
  native();
  runnerCalls();
  descriptorCalls();
  process.setgroups?.([...groups]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}
