import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { procConfinement } from '../../daemon/confinement.ts';
import { type Confinement, tighter } from '../../src/access/confinement.ts';
import { argvFor, secretIn } from '../../src/access/tool-output.ts';
import { WardenError } from '../../src/kernel/errors.ts';

const ALL = 0x1ff_ffff_ffffn;
const free = (more: Partial<Confinement> = {}): Confinement => ({
  namespaces: { mnt: 'mnt:[1]', net: 'net:[1]', pid: 'pid:[1]' },
  noNewPrivs: false,
  seccomp: 0,
  capabilities: ALL,
  label: 'unconfined',
  ...more,
});
const inAnother = (name: string, to: string | null = `${name}:[2]`) =>
  free({ namespaces: { ...free().namespaces, [name]: to } });

describe('a caller is more confined than what would be started for it', () => {
  test.each([
    ['in another mount namespace', inAnother('mnt'), free(), ['another mnt namespace']],
    ['in a network namespace that cannot be read', inAnother('net', null), free(), ['another net namespace']],
    ['with no_new_privs', free({ noNewPrivs: true }), free(), ['no_new_privs']],
    ['with no_new_privs that cannot be read', free({ noNewPrivs: null }), free(), ['no_new_privs']],
    ['with a filter', free({ seccomp: 2 }), free(), ['a system call filter']],
    [
      'with a filter, as the daemon has one: they may differ',
      free({ seccomp: 2 }),
      free({ seccomp: 2 }),
      ['a system call filter'],
    ],
    ['with one capability less', free({ capabilities: ALL & ~4n }), free(), ['fewer capabilities']],
    ['under a security label', free({ label: 'snap.agent' }), free(), ['a security label']],
    [
      'in all respects',
      free({ namespaces: {}, noNewPrivs: true, seccomp: 2, capabilities: 0n, label: 'x' }),
      free(),
      [
        'another mnt namespace',
        'another net namespace',
        'another pid namespace',
        'no_new_privs',
        'a system call filter',
        'fewer capabilities',
        'a security label',
      ],
    ],
  ])('%s', (_what, caller, own, found) => {
    expect(tighter(caller, own, null)).toEqual(found);
  });

  test.each([
    ['the same', free(), free(), null],
    ['in the machine’s own namespace while the daemon sits in one of its own', free(), inAnother('mnt'), free()],
    ['with no_new_privs, as the daemon', free({ noNewPrivs: true }), free({ noNewPrivs: true }), null],
    ['with capabilities that the daemon has not', free(), free({ capabilities: 0n }), null],
    ['unlabelled while the daemon is labelled', free(), free({ label: 'wardend' }), null],
  ])('not: %s', (_what, caller, own, init) => {
    expect(tighter(caller, own, init)).toEqual([]);
  });

  test('for capabilities: exactly where one of the daemon’s is missing', () => {
    const set = fc.bigInt({ min: 0n, max: ALL });
    fc.assert(
      fc.property(set, set, (caller, own) => {
        const found = tighter(free({ capabilities: caller }), free({ capabilities: own }), null);
        expect(found.length === 0).toBe((own & caller) === own);
      }),
    );
  });

  test('/proc says of this very process that it is as free as itself', () => {
    const own = procConfinement.own();
    expect(procConfinement.of(process.pid)).toEqual(own);
    expect(Object.values(own.namespaces).every((link) => /^\w+:\[\d+\]$/.test(link ?? ''))).toBe(true);
    expect(procConfinement.of(0)).toBeNull();
    expect(procConfinement.of(2 ** 22 + 1)).toBeNull();
  });
});

describe('the output of a tool', () => {
  const raw = { format: 'raw', field: 'value' } as const;
  const json = { format: 'json', field: 'id_token' } as const;
  test.each([
    ['raw, less one newline', raw, 'a\n', 'a'],
    ['raw, less one newline only', raw, 'a\n\n', 'a\n'],
    ['raw without one', raw, 'a b', 'a b'],
    ['a text in JSON', json, '{"id_token":"x\\ny","other":1}', 'x\ny'],
    ['a number in JSON', json, '{"id_token":5}\n', '5'],
    ['a list in JSON', json, '{"id_token":[1,"a"]}', '[1,"a"]'],
  ])('%s', (_what, output, bytes, value) => {
    expect(secretIn(Buffer.from(bytes), output).reveal().toString()).toBe(value);
  });

  test('whatever a tool writes: a value, or an error that quotes none of it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom(raw, json), (bytes, output) => {
        try {
          expect(secretIn(Buffer.from(bytes), output).length).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof WardenError)) throw error;
          expect([
            'the tool gave no value',
            'the output of the tool is not one JSON object',
            'the output of the tool has no field id_token',
          ]).toContain(error.message);
        }
      }),
    );
  });

  test('a placeholder is replaced as a whole element and nowhere else', () => {
    const argv = ['x', '{actor}', '{tenant}', '{other}', '{actor} '];
    expect(argvFor({ argv, output: raw }, { name: 'agt-a', tenant: '{actor}' })).toEqual([
      'x',
      'agt-a',
      '{actor}',
      '{other}',
      '{actor} ',
    ]);
  });
});
