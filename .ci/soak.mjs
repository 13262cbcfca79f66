// Bundles and runs the soak: npm run soak [-- --minutes 30 --svg FILE]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bundleTool } from './bundle-tool.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
await bundleTool({ soak: 'test/soak/main.ts' }, '.cache/soak');
const { status } = spawnSync(process.execPath, ['.cache/soak/soak.mjs', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
