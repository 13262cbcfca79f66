import { chmodSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkIssued } from '../../src/signing/check-issued.ts';
import { writeKeyFile } from '../../src/signing/key-file.ts';
import { loadSyntheticAuthority, SYNTHETIC_CA_FILE } from '../../src/signing/synthetic-authority.ts';
import { formatPrivateKey } from '../../src/ssh/private-key.ts';
import { failure, finished, keyOf } from './support/subjects.ts';
import { temporaryFolder } from './support/temporary.ts';

const folder = temporaryFolder();
const UID = process.getuid?.() ?? 0;
const stateFolder = (): string => mkdtempSync(join(folder, 'state-'));

describe('the synthetic authority', () => {
  test('makes its key on the first start, private and labelled, and signs with it', async () => {
    const state = stateFolder();
    const authority = await loadSyntheticAuthority(state, UID);
    expect(authority).toMatchObject({ backend: 'synthetic', takesSerial: true });
    expect(authority.keys()).toMatchObject([{ comment: 'synthetic-ca', state: 'current', custody: 'file' }]);
    expect(authority.keys()[0]?.publicKey.algorithm).toBe('ssh-ed25519');
    expect(readdirSync(state)).toEqual([SYNTHETIC_CA_FILE]);
    expect(statSync(join(state, SYNTHETIC_CA_FILE)).mode & 0o7777).toBe(0o600);
    const plan = finished((await keyOf('ed25519')).publicKey);
    expect(checkIssued(await authority.certify(plan, { requestId: 'r' }), plan, authority).serial).toBe(77n);
  });

  test('keeps its key over restarts', async () => {
    const state = stateFolder();
    const first = await loadSyntheticAuthority(state, UID);
    const second = await loadSyntheticAuthority(state, UID);
    expect(second.keys()[0]?.publicKey.blob.equals(first.keys()[0]?.publicKey.blob ?? Buffer.alloc(0))).toBe(true);
  });

  test('is one and the same where two start at once', async () => {
    const state = stateFolder();
    const both = await Promise.all([loadSyntheticAuthority(state, UID), loadSyntheticAuthority(state, UID)]);
    const blobs = both.map((authority) => authority.keys()[0]?.publicKey.blob.toString('hex'));
    expect(blobs[0]).toBe(blobs[1]);
    expect(readdirSync(state)).toEqual([SYNTHETIC_CA_FILE]);
  });

  test('takes no key without the label', async () => {
    const state = stateFolder();
    const key = await keyOf('ed25519');
    writeFileSync(join(state, SYNTHETIC_CA_FILE), formatPrivateKey({ ...key, comment: 'a real ca' }), { mode: 0o600 });
    expect((await failure(() => loadSyntheticAuthority(state, UID))).code).toBe('posture_forbids');
  });

  test('takes no key that others may read, and makes no other one', async () => {
    const state = stateFolder();
    await loadSyntheticAuthority(state, UID);
    const path = join(state, SYNTHETIC_CA_FILE);
    const before = readFileSync(path);
    chmodSync(path, 0o644);
    const error = await failure(() => loadSyntheticAuthority(state, UID));
    expect(error.code).toBe('config_invalid');
    expect(error.hint).toBe(`chmod 600 ${path}`);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});

describe('writing a key file', () => {
  test('never overwrites, and leaves no draft behind', async () => {
    const state = stateFolder();
    const path = join(state, 'ca');
    expect(await writeKeyFile(path, Buffer.from('first'))).toBe(true);
    expect(await writeKeyFile(path, Buffer.from('second'))).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe('first');
    expect(readdirSync(state)).toEqual(['ca']);
  });

  test('is 0600 under any umask', async () => {
    const before = process.umask(0);
    try {
      const path = join(stateFolder(), 'ca');
      await writeKeyFile(path, Buffer.from('key'));
      expect(statSync(path).mode & 0o7777).toBe(0o600);
    } finally {
      process.umask(before);
    }
  });

  test('where the folder is missing is an error', async () => {
    await expect(writeKeyFile(join(folder, 'none', 'ca'), Buffer.from('key'))).rejects.toThrow('ENOENT');
  });
});
