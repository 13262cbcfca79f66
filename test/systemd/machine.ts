import { spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('machine.sh', import.meta.url));
/** For a machine to take its processes down after its time, before it is killed. */
const GRACE_MS = 10_000;

export interface MachineOptions {
  /** Folders to lay over this machine's root, one after the other. */
  readonly layers: readonly string[];
  /** A program that runs inside; whatever it leaves in /srv/out is read back. */
  readonly steps: string;
  readonly seconds: number;
}

export interface MachineEnd {
  /** Exit code of the steps; null where the machine had to be killed. */
  readonly code: number | null;
  /** What lay in /srv/out, by file name. */
  readonly out: ReadonlyMap<string, string>;
}

/** What this host lacks to boot a machine in namespaces, in words; empty where it can. */
export function missing(): string[] {
  const lacks: string[] = [];
  if (process.getuid?.() !== 0) lacks.push('root (namespaces, mounts and control groups are made)');
  if (unified() === null) lacks.push('a cgroup2 tree at /sys/fs/cgroup or /sys/fs/cgroup/unified that can be written');
  if (!existsSync('/usr/lib/systemd/systemd')) lacks.push('systemd (Debian: apt-get install systemd)');
  if (!readFileSync('/proc/filesystems', 'utf8').includes('overlay')) lacks.push('overlayfs in the kernel');
  for (const program of ['unshare', 'setpriv', 'pivot_root', 'ip', 'mount']) {
    const found = (process.env.PATH ?? '').split(':').concat('/usr/sbin', '/sbin', '/bin');
    if (!found.some((folder) => existsSync(join(folder, program)))) lacks.push(`the program ${program}`);
  }
  return lacks;
}

/** Boots a real systemd in namespaces of its own, runs the steps in it, and takes it all away again. */
export async function boot({ layers, steps, seconds }: MachineOptions): Promise<MachineEnd> {
  const work = mkdtempSync(join(tmpdir(), 'warden-machine-'));
  for (const name of ['mnt', 'out']) mkdirSync(join(work, name));
  const group = join(unified() ?? '', work.split('/').at(-1) ?? '');
  mkdirSync(group);
  try {
    const flags = ['--pid', '--mount', '--fork', '--kill-child', '--cgroup', '--uts', '--ipc', '--net'];
    // Whoever kills the tests takes the machine along.
    const enter = 'echo 0 > "$GROUP/cgroup.procs" && exec setpriv --pdeathsig KILL unshare "$@"';
    const child = spawn('bash', ['-c', enter, 'bash', ...flags, 'bash', script], {
      env: {
        PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
        GROUP: group,
        WORK: work,
        LAYERS: layers.join(':'),
        STEPS: steps,
        SECONDS_LEFT: String(seconds),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
    const deadline = setTimeout(() => child.kill('SIGKILL'), seconds * 1000 + GRACE_MS);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(deadline);
    writeFileSync(join(work, 'out', 'boot.log'), Buffer.concat(said));
    return { code, out: readAll(join(work, 'out')) };
  } finally {
    await removeGroup(group);
    rmSync(work, { recursive: true, force: true });
  }
}

/** The cgroup2 tree, where it can be written. */
function unified(): string | null {
  for (const path of ['/sys/fs/cgroup/unified', '/sys/fs/cgroup']) {
    try {
      accessSync(path, constants.W_OK);
      if (existsSync(join(path, 'cgroup.procs')) && existsSync(join(path, 'cgroup.subtree_control'))) return path;
    } catch {
      // Not this one.
    }
  }
  return null;
}

function readAll(folder: string): Map<string, string> {
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

/** Kills what is left in our own group, and removes it with the groups below. */
async function removeGroup(group: string): Promise<void> {
  const kill = join(group, 'cgroup.kill');
  if (existsSync(kill)) writeFileSync(kill, '1');
  for (let attempt = 0; existsSync(group); attempt++) {
    const below = readdirSync(group, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    try {
      for (const path of [...below.sort().reverse(), group]) rmdirSync(path);
    } catch (error) {
      // Processes that were killed take a moment to be gone.
      if (attempt > 100) throw error;
      await pause(50);
    }
  }
}
