import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { MATURITIES, POSTURES } from '../../src/kernel/posture.ts';
import { DATA_CLASSES } from '../../src/posture/data-class.ts';
import { postureRow, SECURITY_POSTURE } from '../../src/posture/descriptor.ts';
import { descriptorYaml } from '../../src/posture/descriptor-yaml.ts';
import { RULE_IDS, RULES } from '../../src/posture/rules.ts';

const shipped = new URL('../../examples/security-posture.yaml', import.meta.url);

describe('security-posture.yaml', () => {
  test('the shipped file is, byte for byte, what the code judges by (UPDATE_EXAMPLES=1 writes it anew)', () => {
    if (process.env.UPDATE_EXAMPLES === '1') writeFileSync(shipped, descriptorYaml());
    expect(readFileSync(shipped, 'utf8')).toBe(descriptorYaml());
  });

  test.each(['1.1', '1.2'] as const)('read as YAML %s it is the descriptor, with nothing lost', (version) => {
    expect(parse(descriptorYaml(), { version })).toEqual(SECURITY_POSTURE);
  });
});

describe('the descriptor', () => {
  test('has every tier, level and class once, in order', () => {
    expect(SECURITY_POSTURE.postures.map(({ id }) => id)).toEqual(POSTURES);
    expect(SECURITY_POSTURE.levels.map(({ id }) => id)).toEqual(MATURITIES);
    expect(SECURITY_POSTURE.data_classes.map(({ id }) => id)).toEqual(DATA_CLASSES);
  });

  test('a floor is the lowest level that may handle the class: both tables say the same', () => {
    for (const { id, floor } of SECURITY_POSTURE.data_classes) {
      const able = SECURITY_POSTURE.levels.filter(
        ({ handles }) => DATA_CLASSES.indexOf(handles) >= DATA_CLASSES.indexOf(id),
      );
      expect(able[0]?.id, id).toBe(floor);
    }
  });

  test.each([
    [
      'dev',
      { backend: ['mock', 'contract-double'], unseal: ['none'], real_values: ['forbidden'], real_data: ['never'] },
    ],
    [
      'test',
      {
        backend: ['openbao-dev'],
        unseal: ['single-key', 'auto'],
        real_data: ['never'],
        audit_level: ['on', 'tamper-evident'],
      },
    ],
    [
      'prod',
      {
        backend: ['openbao-sealed'],
        unseal: ['shamir-3-of-5'],
        real_values: ['generated-fresh'],
        reuse: ['forbidden'],
        audit_level: ['tamper-evident'],
        break_glass: 'required',
      },
    ],
  ] as const)('%s is what the standard says', (posture, row) => {
    expect(postureRow(posture)).toMatchObject(row);
  });

  test('every rule has its sentence', () => {
    expect(RULE_IDS.length).toBeGreaterThan(10);
    for (const id of RULE_IDS) expect(RULES[id]).toMatch(/^[a-z].*[^.]$/);
  });
});
