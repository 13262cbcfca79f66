import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { sourceAddressFault } from '../../src/inventory/source-address.ts';

describe('source-address is what sshd takes', () => {
  test.each([
    ['one IPv4 address', '192.0.2.1'],
    ['an IPv4 block', '10.0.0.0/8'],
    ['a list', '10.0.0.0/8,192.0.2.1,fd00::/8'],
    ['every address', '0.0.0.0/0'],
    ['an IPv6 address', '2001:db8::1'],
    ['an IPv6 block that ends inside a group', '2001:db8:8000::/33'],
    ['the unspecified address', '::'],
    ['a whole IPv6 address', '1:2:3:4:5:6:7:8'],
  ])('%s passes', (_name, list) => {
    expect(sourceAddressFault(list)).toBeNull();
  });

  test.each([
    ['nothing', '', 'source-address is empty', 'null, which allows any address, or 10.0.0.0/8'],
    [
      'a block with bits behind its mask',
      '10.1.2.3/8',
      'source-address has bits set behind its /8 mask, which sshd refuses',
      '10.0.0.0/8',
    ],
    [
      'an IPv6 block with bits behind its mask',
      'fd00::1/8',
      'source-address has bits set behind its /8 mask, which sshd refuses',
      'fd00::/8',
    ],
    [
      'a space after a comma',
      '10.0.0.0/8, 192.0.2.1',
      'source-address has an empty entry or a space',
      'addresses with commas and nothing else between them: 10.0.0.0/8,192.0.2.1',
    ],
    [
      'a comma at the end',
      '10.0.0.0/8,',
      'source-address has an empty entry or a space',
      'addresses with commas and nothing else between them: 10.0.0.0/8,192.0.2.1',
    ],
    [
      'a host name',
      'bastion',
      'source-address holds what is no address',
      'IPv4 or IPv6 addresses, or blocks such as 10.0.0.0/8 or fd00::/8',
    ],
    [
      'a negated entry',
      '!10.0.0.0/8',
      'source-address holds what is no address',
      'IPv4 or IPv6 addresses, or blocks such as 10.0.0.0/8 or fd00::/8',
    ],
    [
      'a number above 255',
      '10.0.0.256',
      'source-address holds what is no address',
      'IPv4 or IPv6 addresses, or blocks such as 10.0.0.0/8 or fd00::/8',
    ],
    [
      'a short IPv4 address',
      '10.1',
      'source-address holds what is no address',
      'IPv4 or IPv6 addresses, or blocks such as 10.0.0.0/8 or fd00::/8',
    ],
    [
      'a zone',
      'fe80::1%eth0',
      'source-address holds what is no address',
      'IPv4 or IPv6 addresses, or blocks such as 10.0.0.0/8 or fd00::/8',
    ],
    [
      'a mask that is too long',
      '10.0.0.0/33',
      'source-address has a mask that is no number from 0 to 32',
      '10.0.0.0/24',
    ],
    ['a mask without a number', '10.0.0.0/', 'source-address has a mask that is no number from 0 to 32', '10.0.0.0/24'],
  ])('%s is named with its mend', (_name, list, message, hint) => {
    expect(sourceAddressFault(list)).toEqual({ message, hint });
  });
});

describe('against ssh-keygen', () => {
  const dir = mkdtempSync(join(tmpdir(), 'warden-cidr-'));
  const key = join(dir, 'k');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  afterAll(() => rmSync(dir, { recursive: true, force: true }));
  const keygenTakes = (list: string): boolean =>
    spawnSync('ssh-keygen', ['-q', '-s', key, '-I', 'x', '-n', 'p', '-O', `source-address=${list}`, `${key}.pub`], {
      stdio: 'ignore',
    }).status === 0;

  const byte = fc.constantFrom(0, 1, 10, 127, 128, 192, 255);
  const v4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
  const v6 = fc.constantFrom(
    '::',
    '::1',
    'fd00::',
    'fd00::1',
    '2001:db8::',
    '2001:db8:8000::',
    '1:2:3:4:5:6:7:8',
    '1::8',
    '1:2:3:4:5:6:7::',
    ':::',
    '1:2',
    'g::',
  );
  const entry = fc
    .oneof(fc.tuple(v4, fc.option(fc.nat(34), { nil: null })), fc.tuple(v6, fc.option(fc.nat(130), { nil: null })))
    .map(([address, mask]) => (mask === null ? address : `${address}/${mask}`));
  test('whatever passes here is taken there, and nothing well-formed is refused here alone', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 2 }), (entries) => {
        const list = entries.join(',');
        expect(keygenTakes(list), list).toBe(sourceAddressFault(list) === null);
      }),
      { numRuns: 150 },
    );
  });
});
