import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkFolder } from '../../src/config/check.ts';
import { inProcessParser } from '../../src/config/in-process-parser.ts';
import { configDocs } from '../support/config-docs.ts';
import { configFolder, facts, put, tempFolder } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('what is generated from the schemas', () => {
  test.each(configDocs().map(({ path, text }) => [path, text] as const))(
    '%s is what the schemas say: else run npm run generate:docs',
    (path, text) => {
      expect(readFileSync(join(root, path), 'utf8')).toBe(text);
    },
  );

  test('every key has a description', () => {
    for (const { path, text } of configDocs()) {
      if (path.endsWith('.md'))
        expect(text.split('\n').filter((line) => /^\| .*\|\s*\|$/.test(line) && !line.includes('---'))).toEqual([]);
    }
  });
});

describe('the examples', () => {
  test.each([
    ['dev', { posture: 'dev', actors: ['adm-example', 'agt-demo', 'atm-demo'] }],
    [
      'prod',
      {
        posture: 'prod',
        actors: ['adm-example', 'agt-codex-interhub-bootstrap', 'agt-state-hub-bridge', 'atm-backup-daily'],
      },
    ],
  ] as const)('%s is valid, without a warning', async (name, expected) => {
    const files = ['warden.yaml', 'inventory.yaml'].map(
      (file) => [file, readFileSync(join(root, 'examples/config', name, file), 'utf8')] as const,
    );
    for (const [file, text] of files)
      expect(text.split('\n')[0]).toBe(
        `# yaml-language-server: $schema=../../../docs/schemas/${file.replace('.yaml', '.schema.json')}`,
      );
    const result = await checkFolder(configFolder(Object.fromEntries(files)), { parser: inProcessParser(() => facts) });
    expect(result.problems).toEqual([]);
    expect(result.warnings).toEqual([]);
    expect(result.snapshot?.settings.posture).toBe(expected.posture);
    expect([...(result.snapshot?.actors.keys() ?? [])]).toEqual(expected.actors);
  });

  test('the production example holds the actors of the flex-auth fixture', async () => {
    const folder = join(tempFolder(), 'prod');
    cpSync(join(root, 'examples/config/prod'), folder, { recursive: true });
    for (const file of ['warden.yaml', 'inventory.yaml'])
      put(join(folder, file), readFileSync(join(folder, file), 'utf8'));
    const { snapshot } = await checkFolder(folder, { parser: inProcessParser(() => facts) });
    expect(
      [...(snapshot?.actors.values() ?? [])].map((actor) => [
        actor.name,
        actor.principals,
        actor.maxTtlSeconds / 3600,
        actor.allowedSubjects,
      ]),
    ).toEqual([
      ['adm-example', ['adm-full'], 48, ['adm-example', 'iam:adm-example']],
      [
        'agt-codex-interhub-bootstrap',
        ['agt-interhub-bootstrap'],
        2,
        ['agt-codex-interhub-bootstrap', 'iam:agt-codex-interhub-bootstrap'],
      ],
      ['agt-state-hub-bridge', ['agt-task-bridge'], 24, ['agt-state-hub-bridge', 'iam:agt-state-hub-bridge']],
      ['atm-backup-daily', ['atm-backup-daily'], 8, ['atm-backup-daily', 'iam:atm-backup-daily']],
    ]);
  });
});
