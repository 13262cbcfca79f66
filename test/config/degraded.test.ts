import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { configFolder } from './support.ts';

const PROGRAM = `
import { writeFileSync } from 'node:fs';
import { inProcessParser } from './src/config/in-process-parser.ts';
import { openConfig } from './src/config/live-config.ts';
import { systemClock } from './src/kernel/clock.ts';
const dir = process.argv[2];
let told = 0;
const config = await openConfig({
  dir, daemonUid: 0, parser: inProcessParser(), clock: systemClock, mayEmbed: false,
  onDegraded: (why) => console.log(why, ++told),
  onReload: ({ trigger, outcome }) => {
    if (outcome.kind !== 'swapped' || trigger === 'start') return;
    console.log(trigger, [...outcome.snapshot.actors.keys()].join());
    void config.close();
  },
  watch: { pollMs: 20 },
});
// Keeps the program alive until the poll has heard: its timers do not.
const alive = setInterval(() => {}, 1000);
config.store.subscribe((outcome) => outcome.kind === 'swapped' && clearInterval(alive));
writeFileSync(dir + '/inventory.yaml', 'version: 1\\nactors: [{ name: agt-heard, type: agt, principals: [p] }]\\n', { mode: 0o644 });
`;

// The limit of a user namespace of its own: nobody else on the machine notices.
test.runIf(process.getuid?.() === 0)(
  'where the kernel has no watches left, the poll alone finds a change, and that is said once',
  async () => {
    const { outputFiles } = await build({
      stdin: { contents: PROGRAM, resolveDir: fileURLToPath(new URL('../..', import.meta.url)), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
      banner: {
        js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
      },
    });
    const run = spawnSync(
      'unshare',
      [
        '--user',
        '--map-root-user',
        'sh',
        '-c',
        'echo 0 > /proc/sys/user/max_inotify_watches && exec "$0" --input-type=module - "$1"',
        process.execPath,
        configFolder(),
      ],
      { encoding: 'utf8', input: outputFiles[0]?.text ?? '', timeout: 50_000 },
    );
    expect(run.stderr).toBe('');
    expect(run.stdout.split('\n')).toEqual([
      'file events are not available (ENOSPC): changes are found every 20 ms instead 1',
      'poll agt-heard',
      '',
    ]);
  },
);
