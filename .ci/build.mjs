// Bundles the two programs into dist/. The client is CommonJS, which starts in two thirds of the time that an
// ESM graph needs: a small first file, and three others of which a command loads one.
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
  // White space costs start-up and memory; names stay, for stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
  // Native or WebAssembly parts, and what few need, are found in node_modules at run time.
  external: ['koffi', '@cedar-policy/cedar-wasm', '@grpc/proto-loader', 'prom-client', '@opentelemetry/*'],
  loader: { '.binpb': 'binary' },
  define: { 'process.env.WARDEN_BUNDLED': '"1"' },
};

await build({
  ...common,
  entryPoints: {
    wardend: 'daemon/main.ts',
    'wardend-spawner': 'daemon/spawner/main.ts',
    'config-worker': 'src/config/worker.ts',
  },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  format: 'esm',
  // Bundled CommonJS dependencies call require() for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
// Each start pays for every byte it parses: `warden sign`, `fetch` and `exec` get bundles of a few, what reads config
// files one of many.
const parts = {
  sign: 'client/commands/sign.ts',
  fetch: 'client/commands/fetch.ts',
  agent: 'client/commands/agent.ts',
  exec: 'client/commands/exec.ts',
  mcp: 'client/commands/mcp.ts',
  online: 'client/online.ts',
  offline: 'client/offline.ts',
};
const apart = {
  name: 'parts-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/(sign|fetch|agent|exec|mcp|online|offline)\.ts$/ }, ({ path, importer }) => {
      if (!importer.endsWith('client/load-part.ts')) return null;
      return { path: `./warden-${path.replace(/^.*\/|\.ts$/g, '')}.cjs`, external: true };
    });
  },
};
const client = {
  ...common,
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  // import() of a part becomes require(): the ESM loader is not worth its start-up here.
  supported: { 'dynamic-import': false },
  // Where a bundle looks for what is not in it (koffi).
  define: { ...common.define, 'import.meta.url': '__bundleUrl' },
  banner: {
    js: `'use strict'; const __bundleUrl = 'file://' + __filename.split('/').map(encodeURIComponent).join('/');`,
  },
};
await build({ ...client, entryPoints: { warden: 'client/main.ts' }, plugins: [apart] });
for (const [part, entry] of Object.entries(parts))
  await build({ ...client, entryPoints: { [`warden-${part}`]: entry } });
for (const bin of ['wardend.mjs', 'wardend-spawner.mjs', 'warden.cjs']) chmodSync(`${root}dist/${bin}`, 0o755);
