import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { matches } from '../../src/callers/match.ts';
import {
  anyonesPython,
  bundle,
  bundleEnv,
  door,
  fixture,
  isRoot,
  python,
  start,
  startCaller,
  tempDir,
} from './attest-fixture.ts';

const shared = realpathSync(mkdtempSync(join(tmpdir(), 'warden-test-')));
const program = join(shared, 'attest-server.mjs');
beforeAll(async () => {
  await bundle('attest-server.ts', program);
});
afterAll(() => rmSync(shared, { recursive: true, force: true }));

const facts = { executables: { identify: () => null }, exeSha256: null };

/** The door in a process of its own, inside what `prefix` makes; anyone may reach its socket. */
async function server(prefix: readonly string[], pin = 'socket') {
  const dir = join(tempDir(), 'open');
  mkdirSync(dir);
  chmodSync(join(dir, '..'), 0o755);
  chmodSync(dir, 0o755);
  const path = join(dir, 'd.sock');
  const [command = '', ...args] = [...prefix, process.execPath, program, path, pin];
  const child = start(command, args, bundleEnv);
  expect(JSON.parse(await child.line())).toEqual({ listening: path });
  return { path, pid: child.child.pid, say: child.say, json: async () => JSON.parse(await child.line()) };
}

describe.runIf(isRoot)('across namespaces (needs root)', () => {
  it('a caller in a pid namespace below is seen by its pid in ours', async () => {
    const { path, next } = await door();
    await startCaller(path, ['unshare', '--pid', '--fork', '--kill-child']);
    const { caller, check } = await next();
    expect(caller.pid).toBeGreaterThan(1);
    expect(caller.exe).toBe(python);
    expect(check()).toBe('alive');
  });

  it('a caller outside the daemon’s pid namespace has no facts but uid and gid, and is gone when it dies', async () => {
    const daemon = await server(['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']);
    const { child, exited } = await startCaller(daemon.path);
    const { caller, check } = await daemon.json();
    expect(caller).toMatchObject({ uid: 0, gid: 0, pid: 0, exe: null, exeFile: null, unit: null, userUnit: null });
    expect(check).toBe('alive');
    daemon.say('digest');
    expect(await daemon.json()).toEqual([null]);
    child.kill('SIGKILL');
    await exited;
    daemon.say('check');
    expect(await daemon.json()).toEqual(['gone']);
  });

  it('a daemon whose /proc is another pid namespace’s believes none of its pids', async () => {
    const daemon = await server(['unshare', '--pid', '--fork', '--kill-child']);
    await startCaller(daemon.path, ['nsenter', `--pid=/proc/${childOf(daemon.pid)}/ns/pid`]);
    const { caller } = await daemon.json();
    expect(caller.pid).toBeGreaterThan(0);
    expect(caller).toMatchObject({ exe: null, exeFile: null, unit: null });
  });

  it('a caller in a user namespace of its own keeps its real uid, and its executable has no digest', async () => {
    const { path, next } = await door({ mode: 0o666 });
    await startCaller(path, ['unshare', '--user', '--map-root-user']);
    const connection = await next();
    expect(connection.caller.uid).toBe(process.getuid?.());
    expect(connection.caller).not.toHaveProperty('unmapped');
    expect(await connection.exeSha256()).toBeNull();
  });

  it('a caller whose uid has no number in the daemon’s user namespace is nobody at all', async () => {
    const daemon = await server(['unshare', '--user', '--map-root-user']);
    await startCaller(daemon.path, ['setpriv', '--reuid=4242', '--regid=4243', '--groups=4244,4245'], anyonesPython);
    const { caller } = await daemon.json();
    expect(caller).toMatchObject({ uid: 65534, gid: 65534, groups: [], unmapped: { uid: true, gid: true } });
    expect(matches({ uid: 65534 }, caller, facts)).toBe(false);
    expect(matches({ gid: 65534 }, caller, facts)).toBe(false);
  });

  it('a caller whose uid has a number there has it', async () => {
    const daemon = await server(['unshare', '--user', '--map-root-user']);
    await startCaller(daemon.path);
    const { caller } = await daemon.json();
    expect(caller).toMatchObject({ uid: 0, gid: 0 });
    expect(caller).not.toHaveProperty('unmapped');
  });
});

describe.runIf(isRoot)('a daemon without CAP_SYS_PTRACE (needs root)', () => {
  it('knows uid, groups and end of another user’s process, and not its program', async () => {
    const daemon = await server(['setpriv', '--bounding-set=-sys_ptrace', '--inh-caps=-sys_ptrace']);
    const { child, exited } = await startCaller(
      daemon.path,
      ['setpriv', '--reuid=4242', '--regid=4243', '--groups=4244'],
      anyonesPython,
    );
    const { caller, check } = await daemon.json();
    expect(caller).toMatchObject({ uid: 4242, gid: 4243, groups: [4244], pid: child.pid, exe: null, exeFile: null });
    expect(check).toBe('alive');
    daemon.say('digest');
    expect(await daemon.json()).toEqual([null]);
    child.kill('SIGKILL');
    await exited;
    daemon.say('check');
    expect(await daemon.json()).toEqual(['gone']);
  });
});

describe.runIf(isRoot)('a pid that the kernel gives to another process (needs root)', () => {
  it.each([
    ['socket', 'with the pidfd of the socket'],
    ['pid', 'with a pidfd of the number'],
    ['start', 'with /proc alone'],
  ])('does not inherit the connection: %s, %s', async (pin) => {
    // One pid namespace for both, in which the next pid can be chosen.
    const dir = tempDir();
    const daemon = start(
      'unshare',
      ['--pid', '--fork', '--kill-child', '--mount-proc', process.execPath, program, `${dir}/d.sock`, pin],
      bundleEnv,
    );
    expect(JSON.parse(await daemon.line())).toHaveProperty('listening');
    const inside = childOf(daemon.child.pid);
    const caller = start('nsenter', [
      `--pid=/proc/${inside}/ns/pid`,
      `--mount=/proc/${inside}/ns/mnt`,
      python,
      fixture('reuse_pid.py'),
      `${dir}/d.sock`,
    ]);
    expect(JSON.parse(await daemon.line())).toMatchObject({ caller: { exe: python }, check: 'alive' });
    caller.say('attested');
    expect(await caller.line()).toBe('reused');
    daemon.say('check');
    expect(JSON.parse(await daemon.line())).toEqual(['gone']);
  });
});

/** Of `unshare --fork`: the process that is pid 1 in there. */
function childOf(pid: number | undefined): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
}
