import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseFixtures } from '../../src/registry/fixtures.ts';
import { examples } from './read-inventory.ts';

const [first] = parseFixtures(readFileSync(new URL('flex-auth/policy_fixtures.yaml', examples), 'utf8'));

describe('parseFixtures refuses', () => {
  it.each([
    ['what is no YAML', '{', 'they are not YAML'],
    ['an empty list', '[]', ': Too small: expected array to have >=1 items'],
    ['a name of another form', stringify([{ ...first, name: 'adm allow' }]), '0.name: '],
    [
      'an effect that there is not',
      stringify([{ ...first, expect: { effect: 'maybe', reason: 'x' } }]),
      '0.expect.effect: ',
    ],
    [
      'a request that the contract does not know',
      stringify([{ ...first, request: { ...first?.request, token: 'x' } }]),
      '0.request: ',
    ],
    [
      'a name twice',
      stringify([first, first], { aliasDuplicateObjects: false }),
      'fixture:ops-warden-adm-sign-allow stands twice',
    ],
    ['aliases', '- &a {}\n- *a', 'they are not YAML'],
  ])('%s', (_name, text, what) => {
    expect(() => parseFixtures(text)).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringContaining(`the policy fixtures do not hold: ${what}`),
      }),
    );
  });
});
