import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { anyonesPython, door, isRoot, startCaller } from './attest-fixture.ts';

/** Where control groups can be made here; null in a container that may not. */
function unifiedHierarchy(): string | null {
  const mount = /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1];
  try {
    if (mount === undefined || !existsSync(join(mount, 'cgroup.procs'))) return null;
    accessSync(mount, constants.W_OK);
    return mount;
  } catch {
    return null;
  }
}

const root = isRoot ? unifiedHierarchy() : null;

/** What a caller in a group like systemd's is attested to be. */
async function callerIn(unit: string) {
  const base = join(root ?? '', `wardentest${process.pid}.slice`);
  const groups = unit.split('/').map((_, i, parts) => join(base, ...parts.slice(0, i + 1)));
  for (const group of [base, ...groups]) {
    mkdirSync(group);
    onTestFinished(() => rmdirSync(group));
  }
  const { path, next } = await door({ mode: 0o666 });
  const enter = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"';
  const group = groups.at(-1) ?? '';
  await startCaller(path, ['sh', '-c', enter, 'sh', group], anyonesPython);
  return (await next()).caller;
}

describe.runIf(root !== null)('a caller in a control group (needs root and a cgroup2 that can be written)', () => {
  it('of a service of the machine is in that unit', async () => {
    expect(await callerIn('hub-bridge.service')).toMatchObject({ unit: 'hub-bridge.service', userUnit: null });
  });

  it('that a service made below itself is in the service', async () => {
    expect(await callerIn('hub-bridge.service/other.service')).toMatchObject({ unit: 'hub-bridge.service' });
  });

  it('of its own user’s manager is in that user unit', async () => {
    const caller = await callerIn('user@0.service/app.slice/x.service');
    expect(caller).toMatchObject({ unit: null, userUnit: 'x.service' });
  });

  it('of another user’s manager is in no unit at all', async () => {
    const caller = await callerIn('user@4242.service/app.slice/x.service');
    expect(caller).toMatchObject({ uid: 0, unit: null, userUnit: null });
  });
});
