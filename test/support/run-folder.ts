import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where what was found is written down: whoever removes a folder may swallow an error. */
export const FINDINGS = '.findings';
/** A line for each look before a removal: files, bytes, milliseconds. */
export const LOOKS = '.looks';
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
  const root = mkdtempSync(join(tmpdir(), 'wr-'));
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
