// Writes what is made from the code: docs/cli.md from the table of commands, docs/config.md and docs/schemas/*.json from
// the zod schemas of the config files. Tests hold them equal.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

async function load(entry) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    stdin: { contents: entry, resolveDir: root, loader: 'ts' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'warning',
    // What a command does is loaded when it is run, and is not run here.
    external: ['./online.ts', './offline.ts', './commands/*'],
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
}

const { configDocs, cliPage, COMMANDS } = await load(`
  export { configDocs } from './test/support/config-docs.ts';
  export { cliPage } from './client/docs.ts';
  export { COMMANDS } from './client/commands.ts';
`);
for (const { path, text } of [...configDocs(), { path: 'docs/cli.md', text: cliPage(COMMANDS) }]) {
  writeFileSync(`${root}${path}`, text);
  console.log(path);
}
