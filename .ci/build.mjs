// Bundles the two programs into dist/. The client is a CommonJS file whose commands initialise when they are
// called, which starts in two thirds of the time that an ESM graph needs, and a second one for the offline commands.
import { chmodSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
rmSync(`${root}dist`, { recursive: true, force: true });

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
  // Native or WebAssembly parts, and pino's worker files, are found in node_modules at run time.
  external: ['koffi', '@cedar-policy/cedar-wasm', 'pino', 'node-pty'],
  loader: { '.binpb': 'binary' },
  define: { 'process.env.WARDEN_BUNDLED': '"1"' },
};

await build({
  ...common,
  entryPoints: { wardend: 'daemon/main.ts', 'config-worker': 'src/config/worker.ts' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  // Bundled CommonJS dependencies call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
// What reads config files is most of the client's bytes, and `warden sign` needs none of it.
const offlineApart = {
  name: 'offline-apart',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^\.\/offline\.ts$/ }, () => ({ path: './warden-offline.cjs', external: true })),
};
const client = { ...common, outdir: 'dist', outExtension: { '.js': '.cjs' }, format: 'cjs' };
await build({ ...client, entryPoints: { warden: 'client/main.ts' }, plugins: [offlineApart] });
await build({ ...client, entryPoints: { 'warden-offline': 'client/offline.ts' } });
for (const bin of ['wardend.mjs', 'warden.cjs']) chmodSync(`${root}dist/${bin}`, 0o755);
