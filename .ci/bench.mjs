// Bundles and runs the benchmarks: npm run bench [-- NAME…] [--json FILE] [--pairs N]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bundleTool } from './bundle-tool.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const programs = {
  bench: 'test/bench/main.ts',
  'echo-server': 'test/bench/echo-server.ts',
  flood: 'test/bench/flood.ts',
  'floor-server': 'test/bench/floor-server.ts',
  'loop-probe': 'test/bench/loop-probe.ts',
};
await bundleTool(programs, '.cache/bench');
const { status } = spawnSync(process.execPath, ['.cache/bench/bench.mjs', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
