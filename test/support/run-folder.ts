import { randomInt } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where what was found is written down: whoever removes a folder may swallow an error. */
export const FINDINGS = '.findings';
/** A line for each look before a removal: files, bytes, milliseconds. */
export const LOOKS = '.looks';
/** Who runs: the process that removes the folder in the end. */
const PID = '.pid';
/** A folder of a process that has ended is left alone for this long: the process may be alive in another namespace. */
const ABANDONED_MS = 3_600_000;
/** Until the next look at the daemons that run. */
const EVERY_MS = 250;
/** What the product would write to by itself, were it not told otherwise. */
const BESIDE = ['/var/lib/warden', '/run/warden', `/tmp/warden-${process.getuid?.() ?? 0}`, '/dev/shm'];

/**
 * vitest's `globalSetup`: all temporary folders of a run lie in one, and each is looked through for the run's canary
 * before a test removes it (`look-before-removal.ts`). Meanwhile every daemon that runs is looked at, and after the last
 * test whatever is left. A finding fails the run.
 */
export default async function setup(): Promise<() => void> {
  sweep(tmpdir());
  // Digits: with letters of both cases in every path some look like values to the checks of a config.
  const root = join(tmpdir(), `wr-${randomInt(100_000, 1_000_000)}`);
  mkdirSync(root);
  writeFileSync(join(root, PID), String(process.pid));
  // As /tmp is: tests run parts as other users.
  chmodSync(root, 0o1777);
  // Made by whoever made the folder, since the kernel lets no other user write to a file that a third made there.
  for (const name of [FINDINGS, LOOKS]) {
    writeFileSync(join(root, name), '');
    chmodSync(join(root, name), 0o666);
  }
  process.env.TMPDIR = root;
  // The canary comes from the folder's name.
  const { lookThrough, secretOfProcess } = await import('./canary.ts');
  const findings = new Set<string>();
  const lookAtDaemons = (): void => {
    for (const [pid, args] of daemons()) {
      const finding = secretOfProcess(pid);
      if (finding !== null) findings.add(`${finding} (${args.slice(0, 2).join(' ')})`);
    }
  };
  const timer = setInterval(lookAtDaemons, EVERY_MS);

  return () => {
    clearInterval(timer);
    const start = performance.now();
    const looked = lookThrough(root, root);
    for (const place of BESIDE) if (existsSync(place)) lookThrough(place, root, looked);
    const cores = readdirSync('.').filter((name) => /^core(\.\d+)?$/.test(name));
    for (const name of cores) looked.findings.push(`a core file was left: ${name}`);
    for (const finding of [...linesOf(join(root, FINDINGS)), ...looked.findings]) findings.add(finding);
    const looks = linesOf(join(root, LOOKS)).map((line) => line.split(' ').map(Number));
    looks.push([looked.files, looked.bytes, performance.now() - start]);
    const [files, bytes, ms] = [0, 1, 2].map((at) => looks.reduce((sum, look) => sum + (look[at] ?? 0), 0));
    const size = `${files} files, ${Math.round((bytes ?? 0) / 2 ** 20)} MiB, ${((ms ?? 0) / 1000).toFixed(1)} s`;
    rmSync(root, { recursive: true, force: true });
    if (findings.size === 0) {
      process.stdout.write(`      Canary  found nowhere (${size})\n`);
      return;
    }
    const lines = [...findings].map((finding) => `  ${finding}\n`).join('');
    process.stderr.write(`the run left secrets behind (${size}):\n${lines}`);
    // vitest prints what a teardown throws, and ends with 0 all the same.
    process.exitCode = 1;
  };
}

/** Removes the folders of runs that were killed. Another user's stay. */
export function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (!/^wr-[A-Za-z0-9]{6}$/.test(name)) continue;
    const folder = join(parent, name);
    try {
      const { uid, mtimeMs } = statSync(join(folder, PID));
      const pid = Number(readFileSync(join(folder, PID), 'utf8'));
      if (uid !== process.getuid?.() || Date.now() - mtimeMs < ABANDONED_MS || isAlive(pid)) continue;
      rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      // Another run swept it first, or it is none of ours, or another user's files lie in it.
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!['ENOENT', 'EACCES', 'EPERM', 'ENOTEMPTY'].includes(code)) throw error;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Processes that run one of the daemon's programs, and their arguments. */
function* daemons(): Generator<[number, string[]]> {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    let args: string[];
    try {
      args = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
    } catch {
      // It has ended.
      continue;
    }
    if (args.some((arg) => /(?:^|\/)wardend(?:-spawner)?(?:\.mjs)?$/.test(arg))) yield [Number(name), args];
  }
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}

/** Notes what a look before a removal saw. @throws Error where it saw anything */
export function noteLook(
  root: string,
  looked: { readonly findings: readonly string[]; readonly files: number; readonly bytes: number },
  ms: number,
): void {
  appendFileSync(join(root, LOOKS), `${looked.files} ${looked.bytes} ${ms.toFixed(1)}\n`);
  if (looked.findings.length === 0) return;
  appendFileSync(join(root, FINDINGS), `${looked.findings.join('\n')}\n`);
  throw new Error(looked.findings.join('; '));
}
