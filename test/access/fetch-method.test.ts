import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FETCH } from '../../client/fetch-method.ts';
import { ambientToken } from '../../client/openbao-token.ts';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';

test('the short cut of fetch is the generated method', () => {
  const { name, requestType, responseType } = WardenDefinition.methods.fetch;
  expect(FETCH.service).toBe(WardenDefinition.fullName);
  expect(FETCH.method).toEqual({ name, requestType, responseType });
  expect(FETCH.method.requestType).toBe(requestType);
});

describe("the user's own token is found as bao finds it", () => {
  const home = (content?: string): string => {
    const dir = mkdtempSync(join(tmpdir(), 'warden-home-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    if (content !== undefined) writeFileSync(join(dir, '.vault-token'), content);
    return dir;
  };
  test.each([
    ['BAO_TOKEN before all', { BAO_TOKEN: 'b', VAULT_TOKEN: 'v' }, 'f', 'b'],
    ['a BAO_TOKEN that is set but empty means none', { BAO_TOKEN: '', VAULT_TOKEN: 'v' }, 'f', ''],
    ['VAULT_TOKEN before the file', { VAULT_TOKEN: 'v' }, 'f', 'v'],
    ['the file, less the newline at its end', {}, 'hvs.file\n', 'hvs.file'],
    ['an empty file', {}, '\n', ''],
    ['nothing at all', {}, undefined, ''],
  ])('%s', (_what, env, file, token) => {
    expect(ambientToken({ ...env, HOME: home(file) }).toString()).toBe(token);
  });

  test.each([
    ['two words', 'two words'],
    ['a line break that could begin a header', 'a\r\nx-vault-namespace: other'],
    ['a megabyte', 'x'.repeat(1_000_000)],
  ])('%s is refused, and not repeated', (_what, content) => {
    for (const env of [{ HOME: home(content) }, { HOME: home(), BAO_TOKEN: content }]) {
      expect(() => ambientToken(env)).toThrow('what should be your OpenBao token is none');
    }
  });
});
