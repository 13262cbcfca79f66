import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { baoProgram } from './bao-program.ts';
import { keyCapeProgram } from './key-cape-program.ts';

export interface MaterializeOptions {
  /** What makes the values: the same seed gives the same. Default: one of its own. */
  readonly seed?: string;
  /** Fields by path, as in OpenBao's policies (`platform/data/ci/npm`); absent: every path is there, with any field. */
  readonly secrets?: Readonly<Record<string, readonly string[]>>;
  /** The Node that runs them. Default: this one. */
  readonly node?: string;
}

const PROGRAMS = { bao: baoProgram, 'key-cape': keyCapeProgram } as const;

/** The kernel reads no more of a first line, and splits it at spaces. */
const MAX_SHEBANG = 120;

/**
 * Writes hermetic executables that stand in for `bao` and `key-cape`: they honour argv, stdout, stderr and exit
 * codes of the commands that routes use, need nothing beside Node, open no connection and give synthetic values that
 * are stable per path within one run. Answers the paths written. @throws the file system's errors
 */
export function materializeDoubles(dir: string, options: MaterializeOptions = {}): readonly string[] {
  const { seed = randomBytes(16).toString('hex'), secrets = null, node = process.execPath } = options;
  mkdirSync(dir, { recursive: true, mode: 0o755 });
  return Object.entries(PROGRAMS).map(([name, program]) => {
    const path = join(dir, name);
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
    writeFileSync(temporary, source(name, program, { seed, secrets }, node), { mode: 0o755, flag: 'wx' });
    chmodSync(temporary, 0o755);
    // A command that runs keeps the file that it was started from.
    renameSync(temporary, path);
    return path;
  });
}

function source(
  name: string,
  program: (typeof PROGRAMS)[keyof typeof PROGRAMS],
  data: { readonly seed: string; readonly secrets: MaterializeOptions['secrets'] | null },
  node: string,
): string {
  const plain = !/\s/.test(node) && node.length <= MAX_SHEBANG;
  return `#!${plain ? node : '/usr/bin/env node'}
// A synthetic double of ${name}, for dev and tests. It holds and gives no real value.
// Loaded in this way it runs wherever it lies, also below a package.json that says "type": "module".
Promise.all([import('node:crypto'), import('node:fs')]).then(([{ createHmac }, { writeSync }]) => {
  const write = (fd) => (text) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  };
  const data = ${JSON.stringify(data)};
  const program = ${program.toString()};
  process.exitCode = program(
    { argv: process.argv.slice(2), env: process.env, out: write(1), err: write(2) },
    { ...data, now: Date.now(), hmac: (key, text) => createHmac('sha256', key).update(text).digest('hex') },
  );
});
`;
}
