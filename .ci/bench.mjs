// Bundles and runs the benchmarks: npm run bench [-- NAME…] [--json FILE] [--pairs N]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
await build({
  absWorkingDir: root,
  entryPoints: {
    bench: 'test/bench/main.ts',
    'echo-server': 'test/bench/echo-server.ts',
    'loop-probe': 'test/bench/loop-probe.ts',
  },
  outdir: '.cache/bench',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  external: ['koffi', '@cedar-policy/cedar-wasm', 'pino'],
  loader: { '.binpb': 'binary' },
  logLevel: 'warning',
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
const { status } = spawnSync(process.execPath, ['.cache/bench/bench.mjs', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
