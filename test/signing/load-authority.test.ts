import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { checkIssued } from '../../src/signing/check-issued.ts';
import { type AuthorityContext, loadAuthority } from '../../src/signing/load-authority.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { formatPrivateKey } from '../../src/ssh/private-key.ts';
import { formatPublicKey } from '../../src/ssh/public-key.ts';
import { failure, finished, keyOf } from './support/subjects.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const UID = process.getuid?.() ?? 0;
const STRANGER = 12_345;
const key = await keyOf('ed25519');
const nextKey = await keyOf('ecdsa-p256');
const oldKey = await keyOf('ecdsa-p384');

const context = (more: Partial<AuthorityContext> = {}): AuthorityContext => ({
  posture: 'prod',
  uid: UID,
  credentialsDirectory: null,
  agentSocket: null,
  ...more,
});
const settings = (path: string, next: string | null = null, retired: string[] = []) => ({ key: path, next, retired });

let files = 0;
function keyFile(mode = 0o600, of = key, comment = of.comment): string {
  const path = join(folder, `ca-${++files}`);
  writeFileSync(path, formatPrivateKey({ ...of, comment }));
  chmodSync(path, mode);
  return path;
}

function encryptedFile(of: typeof key): string {
  const path = keyFile(0o600, of);
  execFileSync('ssh-keygen', ['-p', '-q', '-P', '', '-N', 'a passphrase', '-f', path], { stdio: 'ignore' });
  return path;
}

function publicFile(of: typeof key, mode = 0o644, path = join(folder, `ca-${++files}.pub`)): string {
  writeFileSync(path, `${formatPublicKey(of.publicKey)}\n`);
  chmodSync(path, mode);
  return path;
}

describe('a CA key in a file', () => {
  test.each([[0o600], [0o400], [0o700]])('of mode %o is loaded and signs', async (mode) => {
    const authority = await loadAuthority(settings(keyFile(mode)), context());
    expect(authority).toMatchObject({ backend: 'local', takesSerial: true });
    expect(authority.keys()).toMatchObject([{ comment: key.comment, state: 'current', custody: 'file' }]);
    const plan = finished(nextKey.publicKey);
    expect(checkIssued(await authority.certify(plan, { requestId: 'r' }), plan, authority).serial).toBe(77n);
  });

  test.each([
    [0o640, '0640'],
    [0o604, '0604'],
    [0o620, '0620'],
    [0o610, '0610'],
    [0o644, '0644'],
    [0o666, '0666'],
  ])('of mode %o is refused with the mend', async (mode, shown) => {
    const path = keyFile(mode);
    const error = await failure(() => loadAuthority(settings(path), context()));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe(`${path} is open to others (mode ${shown})`);
    expect(error.hint).toBe(`chmod 600 ${path}`);
  });

  test('of another user is refused', async () => {
    const path = keyFile();
    // Root gives the file away; anyone else is himself the other user of a daemon that runs as his neighbour.
    if (UID === 0) chownSync(path, STRANGER, STRANGER);
    const error = await failure(() => loadAuthority(settings(path), context({ uid: UID === 0 ? 0 : UID + 1 })));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe(`${path} belongs to uid ${UID === 0 ? STRANGER : UID}`);
  });

  test('behind a symbolic link is loaded, and judged by the mode of the file', async () => {
    const link = join(folder, 'link');
    const path = keyFile();
    symlinkSync(path, link);
    expect((await loadAuthority(settings(link), context())).keys()).toHaveLength(1);
    chmodSync(path, 0o640);
    expect((await failure(() => loadAuthority(settings(link), context()))).hint).toBe(`chmod 600 ${link}`);
  });

  test('behind a symbolic link of another user is refused', async () => {
    const link = join(folder, 'foreign-link');
    symlinkSync(keyFile(), link);
    if (UID === 0) lchownSync(link, STRANGER, STRANGER);
    const error = await failure(() => loadAuthority(settings(link), context({ uid: UID === 0 ? 0 : UID + 1 })));
    expect(error.message).toBe(`${link} is a symbolic link of another user`);
  });

  test.each([
    ['that is not there', () => join(folder, 'none'), (path: string) => `${path} is not there`],
    ['that is a folder', () => folder, (path: string) => `${path} is not a regular file`],
    ['that is a device', () => '/dev/zero', (path: string) => `${path} is not a regular file`],
    [
      'that is a FIFO nobody writes to',
      () => {
        const path = join(folder, 'fifo');
        execFileSync('mkfifo', ['-m', '600', path]);
        return path;
      },
      (path: string) => `${path} is not a regular file`,
    ],
    [
      'that is far too long',
      () => {
        const path = join(folder, 'long');
        writeFileSync(path, Buffer.alloc(200_000, 65), { mode: 0o600 });
        return path;
      },
      (path: string) => `${path} is too long for a key`,
    ],
    [
      'that holds something else',
      () => {
        const path = join(folder, 'text');
        writeFileSync(path, 'hello', { mode: 0o600 });
        return path;
      },
      (path: string) => `${path}: the file holds no private key that can be read`,
    ],
    [
      'that is encrypted',
      () => encryptedFile(key),
      (path: string) => `${path}: the private key is encrypted, and a daemon has nobody to ask`,
    ],
    ['that is a relative path', () => 'ca_ed25519', () => 'the CA key names no file'],
  ])('%s is refused', async (_name, make, message) => {
    const path = make();
    const error = await failure(() => loadAuthority(settings(path), context()));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe(message(path));
    expect(error.hint).not.toContain('FILE');
  });

  test('that the daemon may not read is named as such', () => {
    // Root reads everything, so that this runs as nobody.
    const shared = join(folder, 'shared');
    mkdirSync(shared, { mode: 0o755 });
    chmodSync(folder, 0o755);
    const path = join(shared, 'ca');
    writeFileSync(path, formatPrivateKey(key), { mode: UID === 0 ? 0o600 : 0o000 });
    const script = join(shared, 'load.mjs');
    buildSync({
      stdin: {
        resolveDir: fileURLToPath(new URL('../../src/signing', import.meta.url)),
        contents: `import { loadPrivateKey } from './load-authority.ts';
          loadPrivateKey(${JSON.stringify(path)}, 'file', process.getuid())
            .catch(({ code, message }) => console.log(JSON.stringify({ code, message })));`,
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      outfile: script,
    });
    const asNobody = UID === 0 ? ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] : ['env'];
    const [command = '', ...args] = [...asNobody, process.execPath, script];
    expect(JSON.parse(execFileSync(command, args, { encoding: 'utf8' }))).toEqual({
      code: 'config_invalid',
      message: `${path} cannot be read (EACCES)`,
    });
    chmodSync(folder, 0o700);
  });

  test.each([
    ['dev', 'ca', 'posture_forbids'],
    ['prod', 'synthetic-ca', 'posture_forbids'],
    ['test', 'synthetic-ca', 'posture_forbids'],
  ] as const)('posture %s forbids the label %s', async (posture, comment, code) => {
    const path = keyFile(0o600, key, comment);
    expect((await failure(() => loadAuthority(settings(path), context({ posture })))).code).toBe(code);
  });

  test('posture dev permits one that is labelled synthetic', async () => {
    const authority = await loadAuthority(settings(keyFile(0o600, key, 'synthetic-mine')), context({ posture: 'dev' }));
    expect(authority.keys()[0]?.comment).toBe('synthetic-mine');
  });
});

describe('a CA key in $CREDENTIALS_DIRECTORY', () => {
  const credentials = join(folder, 'credentials');
  mkdirSync(credentials, { mode: 0o700 });

  // systemd shows 0440 where it lets a service's own user in by an access list.
  test.each([[0o400], [0o440]])('of mode %o is loaded', async (mode) => {
    renameSync(keyFile(mode), join(credentials, `ca-${mode}`));
    const authority = await loadAuthority(
      settings(`credential:ca-${mode}`),
      context({ credentialsDirectory: credentials }),
    );
    expect(authority.keys()).toMatchObject([{ state: 'current', custody: 'credential' }]);
  });

  test('that others may read is refused', async () => {
    renameSync(keyFile(0o444), join(credentials, 'open'));
    const error = await failure(() =>
      loadAuthority(settings('credential:open'), context({ credentialsDirectory: credentials })),
    );
    expect(error.message).toBe(`${join(credentials, 'open')} is open to others (mode 0444)`);
  });

  test('without the variable is refused with the line for the unit', async () => {
    const error = await failure(() => loadAuthority(settings('credential:ca'), context()));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe('credential:ca is wanted, and CREDENTIALS_DIRECTORY is not set');
    expect(error.hint).toBe('give the unit LoadCredential=ca:FILE or LoadCredentialEncrypted=ca:FILE');
  });

  test.each([['credential:'], ['credential:../ca'], ['credential:a/b'], ['credential:..'], ['credential:a\0b']])(
    '%j leaves no folder',
    async (setting) => {
      const error = await failure(() =>
        loadAuthority(settings(setting), context({ credentialsDirectory: credentials })),
      );
      expect(error.message).toBe('credential: needs the name of a credential');
    },
  );

  test.each([['agent:'], ['agent:MD5:00'], ['agent:SHA256:short'], [`agent:SHA256:${'A'.repeat(44)}`]])(
    '%j is no fingerprint',
    async (setting) => {
      const error = await failure(() => loadAuthority(settings(setting), context({ agentSocket: '/nowhere' })));
      expect(error.message).toBe('agent: needs the fingerprint of a key');
    },
  );
});

describe('next and retired keys', () => {
  const states = async (next: string | null, retired: string[]) =>
    (await loadAuthority(settings(keyFile(), next, retired), context()))
      .keys()
      .map(({ publicKey, state }) => [state, fingerprint(publicKey.blob)]);
  const expected = [
    ['current', fingerprint(key.publicKey.blob)],
    ['next', fingerprint(nextKey.publicKey.blob)],
    ['retired', fingerprint(oldKey.publicKey.blob)],
  ];

  test('show from .pub files', async () => {
    expect(await states(publicFile(nextKey), [publicFile(oldKey)])).toEqual(expected);
  });

  test('show from private files, encrypted or not', async () => {
    expect(await states(keyFile(0o600, nextKey), [encryptedFile(oldKey)])).toEqual(expected);
  });

  test('show from the .pub beside a private file that was put away', async () => {
    const away = keyFile(0o600, oldKey);
    publicFile(oldKey, 0o644, `${away}.pub`);
    rmSync(away);
    expect(await states(publicFile(nextKey), [away])).toEqual(expected);
  });

  test.each([
    ['a private one that others may read', () => keyFile(0o644, nextKey), 'is open to others (mode 0644)', 'chmod 600'],
    [
      'a public one that others may write',
      () => publicFile(nextKey, 0o664),
      'is writable by others (mode 0664)',
      'chmod 644',
    ],
    ['one that is not there', () => join(folder, 'gone'), 'is not there', 'make a key'],
  ])('%s is refused', async (_name, make, what, mend) => {
    const path = make();
    const error = await failure(() => states(path, []));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe(`${path} ${what}`);
    expect(error.hint).toContain(mend);
  });

  test('a .pub that holds a certificate is refused by name', async () => {
    const path = join(folder, 'x-cert.pub');
    writeFileSync(path, 'ssh-ed25519-cert-v01@openssh.com AAAA\n', { mode: 0o644 });
    const error = await failure(() => states(path, []));
    expect(error.code).toBe('public_key_is_certificate');
    expect(error.message).toContain(basename(path));
  });

  test.each(['next', 'retired'] as const)('the current key under ca.%s is refused', async (state) => {
    const path = publicFile(key);
    const error = await failure(() => states(state === 'next' ? path : null, state === 'retired' ? [path] : []));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toBe(`the current CA key stands under ca.${state} too`);
  });

  test('a synthetic next key is refused in prod', async () => {
    const path = keyFile(0o600, nextKey, 'synthetic-next');
    expect((await failure(() => states(path, []))).code).toBe('posture_forbids');
  });

  test('none of them signs', async () => {
    const authority = await loadAuthority(settings(keyFile(), publicFile(nextKey), []), context());
    const plan = finished(oldKey.publicKey);
    const certificate = checkIssued(await authority.certify(plan, { requestId: 'r' }), plan, authority);
    expect(certificate.signatureKey.blob.equals(key.publicKey.blob)).toBe(true);
  });
});

test('the file of a key that was loaded is as it was', async () => {
  const path = keyFile();
  const before = readFileSync(path);
  await loadAuthority(settings(path), context());
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
