import { describe, expect, test } from 'vitest';
import { checkAuthorityPosture, type LabelledKey } from '../../src/signing/posture-rule.ts';
import { failure } from './support/subjects.ts';

const key = (comment: string, state: LabelledKey['state'] = 'current'): LabelledKey => ({ comment, state });

describe('which authority a posture permits', () => {
  test.each([
    ['dev permits a synthetic CA', 'dev', [key('synthetic-ca')]],
    ['dev permits a real key that signs no more', 'dev', [key('synthetic-ca'), key('ca', 'retired')]],
    ['test permits a CA without the label', 'test', [key('ca')]],
    ['prod permits a CA without the label', 'prod', [key('ca'), key('', 'next'), key('old', 'retired')]],
    ['prod permits a label that only holds the word', 'prod', [key('not-synthetic-ca')]],
    ['an authority whose agent was not seen yet has no key to judge', 'prod', []],
  ] as const)('%s', (_name, posture, keys) => {
    expect(checkAuthorityPosture(posture, keys)).toBeUndefined();
  });

  test.each([
    [
      'dev forbids a real CA',
      'dev',
      [key('ca')],
      'posture dev signs with a synthetic CA only, and the current CA key is labelled "ca"',
    ],
    [
      'dev forbids a key without a comment',
      'dev',
      [key('')],
      'posture dev signs with a synthetic CA only, and the current CA key is labelled ""',
    ],
    [
      'dev forbids the label in capitals',
      'dev',
      [key('SYNTHETIC-ca')],
      'posture dev signs with a synthetic CA only, and the current CA key is labelled "SYNTHETIC-ca"',
    ],
    [
      'dev forbids a real next key',
      'dev',
      [key('synthetic-ca'), key('ca', 'next')],
      'posture dev signs with a synthetic CA only, and the next CA key is labelled "ca"',
    ],
    [
      'test forbids a synthetic CA',
      'test',
      [key('synthetic-ca')],
      'posture test takes no synthetic CA, and the current CA key is labelled "synthetic-ca"',
    ],
    [
      'prod forbids a synthetic CA',
      'prod',
      [key('synthetic-ca')],
      'posture prod takes no synthetic CA, and the current CA key is labelled "synthetic-ca"',
    ],
    [
      'prod forbids a synthetic next key',
      'prod',
      [key('ca'), key('synthetic-x', 'next')],
      'posture prod takes no synthetic CA, and the next CA key is labelled "synthetic-x"',
    ],
    [
      'prod forbids to publish a retired synthetic key',
      'prod',
      [key('ca'), key('synthetic-x', 'retired')],
      'posture prod takes no synthetic CA, and the retired CA key is labelled "synthetic-x"',
    ],
    [
      'a comment cannot write into the message',
      'prod',
      [key('synthetic-\u001b[2J"')],
      'posture prod takes no synthetic CA, and the current CA key is labelled "synthetic-\\u001b[2J\\""',
    ],
  ] as const)('%s', async (_name, posture, keys, message) => {
    const error = await failure(() => checkAuthorityPosture(posture, keys));
    expect(error.code).toBe('posture_forbids');
    expect(error.message).toBe(message);
    expect(error.hint).toContain('ssh-keygen -t ed25519');
  });
});
