import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import { readFolder } from '../../src/config/read-folder.ts';
import { configFolder, put } from './support.ts';

const uid = process.getuid?.() ?? 0;
const isRoot = uid === 0;
const NOBODY = 65_534;

type Problem = { readonly file: string; readonly message: string; readonly hint: string };
const brief = (problems: readonly Problem[]): readonly (readonly string[])[] =>
  problems.map(({ file, message, hint }) => [file, message, hint]);

describe('a config folder is read where only root and the daemon can write it', () => {
  test('two good files', async () => {
    const content = await readFolder(configFolder(), uid);
    expect(content.problems).toEqual([]);
    expect(Buffer.from(content.warden?.bytes ?? []).toString()).toBe('version: 1\nposture: test\n');
    expect(content.warden?.hash).toMatch(/^[0-9a-f]{64}$/);
    expect(content.inventory).not.toBeNull();
    expect(content.routes).toBeNull();
  });

  test('a folder that is not there is an empty one', async () => {
    expect(await readFolder('/nonexistent/warden', uid)).toEqual({
      warden: null,
      inventory: null,
      routes: null,
      problems: [],
    });
  });

  test.each([
    ['its group', 0o664],
    ['others', 0o646],
    ['group and others', 0o666],
  ] as const)('a file that %s can write is refused with its mend', async (who, mode) => {
    const dir = configFolder();
    chmodSync(join(dir, 'inventory.yaml'), mode);
    const content = await readFolder(dir, uid);
    expect(brief(content.problems)).toEqual([
      ['inventory.yaml', `writable by ${who}`, `chmod go-w ${dir}/inventory.yaml`],
    ]);
    expect(content.inventory).toBeNull();
    expect(content.warden).not.toBeNull();
  });

  test('a folder that its group can write is refused, and nothing in it is read', async () => {
    const dir = configFolder();
    chmodSync(dir, 0o775);
    const content = await readFolder(dir, uid);
    expect(brief(content.problems)).toEqual([['.', 'writable by its group', `chmod go-w ${dir}`]]);
    expect([content.warden, content.inventory]).toEqual([null, null]);
  });

  test('a folder above that everyone can write is refused', async () => {
    const dir = configFolder();
    chmodSync(dirname(dir), 0o777);
    const content = await readFolder(dir, uid);
    expect(brief(content.problems)).toEqual([
      [dirname(dir), 'a folder above the config is writable by everyone', `chmod o-w ${dirname(dir)}`],
    ]);
  });

  test.runIf(isRoot)("a file of another user is refused, one of the daemon's user is not", async () => {
    const dir = configFolder();
    chownSync(join(dir, 'warden.yaml'), NOBODY, 0);
    const content = await readFolder(dir, 1000);
    expect(brief(content.problems)).toEqual([
      [
        'warden.yaml',
        "owned by uid 65534, neither root nor the daemon's user (uid 1000)",
        `chown 1000 ${dir}/warden.yaml`,
      ],
    ]);
    expect((await readFolder(dir, NOBODY)).problems).toEqual([]);
  });

  test('a fifo is refused, and not waited for', async () => {
    const dir = configFolder();
    rmSync(join(dir, 'warden.yaml'));
    execFileSync('mkfifo', ['-m', '644', join(dir, 'warden.yaml')]);
    expect(brief((await readFolder(dir, uid)).problems)).toEqual([
      ['warden.yaml', 'not a regular file', 'a regular file, or a link to one'],
    ]);
  });

  test('a folder in place of a file is refused', async () => {
    const dir = configFolder();
    rmSync(join(dir, 'warden.yaml'));
    mkdirSync(join(dir, 'warden.yaml'));
    expect(brief((await readFolder(dir, uid)).problems)).toEqual([
      ['warden.yaml', 'not a regular file', 'a regular file, or a link to one'],
    ]);
  });

  test('a file above the bound is refused without being read', async () => {
    const dir = configFolder();
    truncateSync(join(dir, 'inventory.yaml'), 64 * 1024 * 1024 + 1);
    expect(brief((await readFolder(dir, uid)).problems)).toEqual([
      ['inventory.yaml', 'larger than 64 MiB', 'fewer entries'],
    ]);
  });

  test('a link is followed, and its target held to the same rules', async () => {
    const dir = configFolder();
    const real = join(dirname(dir), 'real');
    mkdirSync(real, { mode: 0o755 });
    renameSync(join(dir, 'inventory.yaml'), join(real, 'inventory.yaml'));
    symlinkSync(join(real, 'inventory.yaml'), join(dir, 'inventory.yaml'));
    expect((await readFolder(dir, uid)).problems).toEqual([]);
    chmodSync(real, 0o777);
    expect(brief((await readFolder(dir, uid)).problems)).toEqual([
      ['inventory.yaml', 'writable by group and others', `chmod go-w ${real}`],
    ]);
    chmodSync(real, 0o755);
    chmodSync(join(real, 'inventory.yaml'), 0o666);
    expect(brief((await readFolder(dir, uid)).problems)).toEqual([
      ['inventory.yaml', 'writable by group and others', `chmod go-w ${dir}/inventory.yaml`],
    ]);
  });

  test('links that run in a circle are named', async () => {
    const dir = configFolder();
    rmSync(join(dir, 'warden.yaml'));
    symlinkSync('warden.yaml', join(dir, 'warden.yaml'));
    expect(brief((await readFolder(dir, uid)).problems)).toEqual([
      ['warden.yaml', 'cannot be read (ELOOP)', 'a link that ends at a file'],
    ]);
  });

  test('routes.yaml is read too', async () => {
    const dir = configFolder();
    put(join(dir, 'routes.yaml'), 'version: 1\n');
    expect(Buffer.from((await readFolder(dir, uid)).routes?.bytes ?? []).toString()).toBe('version: 1\n');
  });
});

describe.runIf(isRoot)('as a user who is not root', () => {
  let program = '';
  beforeAll(async () => {
    const { outputFiles } = await build({
      stdin: {
        contents: `import { readFolder } from './src/config/read-folder.ts';
          const content = await readFolder(process.argv[1], Number(process.argv[2]));
          console.log(JSON.stringify(content.problems));`,
        resolveDir: fileURLToPath(new URL('../..', import.meta.url)),
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      write: false,
    });
    program = outputFiles[0]?.text ?? '';
  });

  const asNobody = (dir: string): unknown => {
    const run = spawnSync(
      'setpriv',
      [
        `--reuid=${NOBODY}`,
        `--regid=${NOBODY}`,
        '--clear-groups',
        process.execPath,
        '--input-type=module',
        '-e',
        program,
        dir,
        String(NOBODY),
      ],
      {
        encoding: 'utf8',
        cwd: '/',
      },
    );
    expect(run.stderr).toBe('');
    return brief(JSON.parse(run.stdout));
  };

  test('a file that may not be read is named, the others are read', () => {
    const dir = configFolder();
    chmodSync(dirname(dir), 0o755);
    chmodSync(join(dir, 'inventory.yaml'), 0o600);
    expect(asNobody(dir)).toEqual([
      ['inventory.yaml', 'cannot be read (EACCES)', "read permission for the daemon's user"],
    ]);
  });

  test('a folder that may not be entered is named', () => {
    const dir = configFolder();
    expect(asNobody(dir)).toEqual([['.', 'cannot be read (EACCES)', "read permission for the daemon's user"]]);
  });

  test("root's files are believed", () => {
    const dir = configFolder();
    chmodSync(dirname(dir), 0o755);
    expect(asNobody(dir)).toEqual([]);
  });

  test('a mount that nobody can write is believed whatever its mode, as Kubernetes makes them', () => {
    const dir = configFolder();
    chmodSync(dir, 0o777);
    // In a mount namespace of its own: nothing is left behind.
    const run = spawnSync(
      'unshare',
      [
        '--mount',
        'sh',
        '-c',
        'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$0" --input-type=module -e "$2" "$1" 0',
        process.execPath,
        dir,
        program,
      ],
      { encoding: 'utf8' },
    );
    expect(run.stderr).toBe('');
    expect(JSON.parse(run.stdout)).toEqual([]);
  });
});

test('a file that is written while it is read is read whole or not at all', async () => {
  const dir = configFolder();
  const file = join(dir, 'inventory.yaml');
  const texts = ['a', 'b'].map((letter) => `version: 1\n#${letter.repeat(400_000)}\n`);
  let writes = 0;
  const writer = setInterval(() => {
    writeFileSync(file, texts[writes % 2] ?? '');
    writes += 1;
  }, 0);
  try {
    for (let tries = 0; tries < 40; tries += 1) {
      const { inventory, problems } = await readFolder(dir, uid);
      if (inventory === null) expect(problems.map((problem) => problem.message)).toEqual(['changed while it was read']);
      // Emptied and not yet written is a state of its own, and an invalid file.
      else if (writes > 0 && inventory.bytes.length > 0)
        expect(texts).toContain(Buffer.from(inventory.bytes).toString());
    }
    expect(writes).toBeGreaterThan(0);
  } finally {
    clearInterval(writer);
  }
  expect(texts).toContain(Buffer.from((await readFolder(dir, uid)).inventory?.bytes ?? []).toString());
});
