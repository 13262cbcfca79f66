import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Caller, FileIdentity, Selector } from '../../src/callers/caller.ts';
import { firstMatch, type MatchFacts, matches, mayAsk, nearestMiss, needsDigest } from '../../src/callers/match.ts';

const FILE: FileIdentity = { dev: 8n, ino: 42n };
const OTHER: FileIdentity = { dev: 8n, ino: 43n };
const SHA = 'a'.repeat(64);

const base: Caller = {
  uid: 1000,
  gid: 1000,
  groups: [27, 100],
  pid: 4711,
  exe: '/usr/bin/tool',
  exeFile: FILE,
  unit: 'hub.service',
  userUnit: null,
};
const disk = new Map([
  ['/usr/bin/tool', FILE],
  ['/usr/bin/tool-link', FILE],
  ['/usr/bin/other', OTHER],
]);
const facts: MatchFacts = { executables: { identify: (path) => disk.get(path) ?? null }, exeSha256: SHA };

const rows: [string, Selector, Partial<Caller>, boolean][] = [
  ['the uid holds', { uid: 1000 }, {}, true],
  ['another uid does not', { uid: 1001 }, {}, false],
  ['uid 0 is no exception', { uid: 1000 }, { uid: 0 }, false],
  ['the primary group holds', { gid: 1000 }, {}, true],
  ['a supplementary group holds', { gid: 27 }, {}, true],
  ['a group that the caller is not in does not', { gid: 28 }, {}, false],
  ['the executable at the path holds', { exe: '/usr/bin/tool' }, {}, true],
  ['a link to the executable holds', { exe: '/usr/bin/tool-link' }, {}, true],
  ['the same name with another file behind it does not', { exe: '/usr/bin/tool' }, { exeFile: OTHER }, false],
  [
    'the same inode number on another device does not',
    { exe: '/usr/bin/tool' },
    { exeFile: { dev: 9n, ino: 42n } },
    false,
  ],
  ['a deleted executable does not', { exe: '/usr/bin/tool' }, { exe: '/usr/bin/tool (deleted)', exeFile: null }, false],
  ['a path where nothing is does not, for an unreadable executable either', { exe: '/gone' }, { exeFile: null }, false],
  ['the digest holds', { exeSha256: SHA }, {}, true],
  ['another digest does not', { exeSha256: 'b'.repeat(64) }, {}, false],
  ['the unit holds', { unit: 'hub.service' }, {}, true],
  ['a unit is compared whole', { unit: 'hub' }, {}, false],
  ['a system unit is no user unit', { userUnit: 'hub.service' }, {}, false],
  ['a user unit is no system unit', { unit: 'x.service' }, { unit: null, userUnit: 'x.service' }, false],
  ['a user unit with its uid holds', { uid: 1000, userUnit: 'x.service' }, { unit: null, userUnit: 'x.service' }, true],
  ['all keys have to hold', { uid: 1000, unit: 'else.service' }, {}, false],
  [
    'all keys holding is enough',
    { uid: 1000, gid: 27, exe: '/usr/bin/tool', exeSha256: SHA, unit: 'hub.service' },
    {},
    true,
  ],
  ['no keys match nobody', {}, {}, false],
  ['nobody by number holds where 65534 is real', { uid: 65534 }, { uid: 65534 }, true],
  ['an unmapped uid is not nobody', { uid: 65534 }, { uid: 65534, unmapped: { uid: true, gid: false } }, false],
  ['an unmapped gid is not nogroup', { gid: 65534 }, { gid: 65534, unmapped: { uid: false, gid: true } }, false],
  ['an unmapped gid leaves mapped groups', { gid: 27 }, { gid: 65534, unmapped: { uid: false, gid: true } }, true],
];

describe('a selector', () => {
  it.each(rows)('%s', (_name, selector, change, expected) => {
    expect(matches(selector, { ...base, ...change }, facts)).toBe(expected);
  });

  it('never holds by a digest that is not known', () => {
    expect(matches({ exeSha256: SHA }, base, { ...facts, exeSha256: null })).toBe(false);
  });
});

describe('who may ask', () => {
  it('is the first entry that matches', () => {
    expect(firstMatch([{ uid: 1 }, { gid: 27 }, { uid: 1000 }], base, facts)).toBe(1);
  });

  it('is nobody for an empty list', () => {
    expect(firstMatch([], base, facts)).toBeNull();
    expect(mayAsk([], base, 1000, facts)).toBe(false);
  });

  it('is only the daemon’s own uid where callers are absent', () => {
    expect(mayAsk(null, base, 1000, facts)).toBe(true);
    expect(mayAsk(null, { ...base, uid: 0 }, 1000, facts)).toBe(false);
    expect(mayAsk(null, base, 0, facts)).toBe(false);
  });

  it('is not the daemon’s uid by a stand-in of the same number', () => {
    const stranger: Caller = { ...base, uid: 65534, unmapped: { uid: true, gid: true } };
    expect(mayAsk(null, stranger, 65534, facts)).toBe(false);
  });
});

describe('the digest', () => {
  const strange = { ...facts, exeSha256: null };
  it('is wanted where it alone is missing', () => {
    expect(needsDigest([{ uid: 1000, exeSha256: SHA }], base, strange)).toBe(true);
  });
  it('is not read for a caller whom the other keys turn away', () => {
    expect(needsDigest([{ uid: 1, exeSha256: SHA }, { uid: 1000 }], base, strange)).toBe(false);
    expect(needsDigest(null, base, strange)).toBe(false);
  });
});

describe('the nearest miss', () => {
  it('is the entry with the fewest keys that failed, with what was wanted and what was there', () => {
    const selectors: Selector[] = [
      { uid: 1, unit: 'a.service' },
      { uid: 1000, unit: 'b.service' },
      { uid: 2, gid: 3 },
    ];
    expect(nearestMiss(selectors, base, facts)).toEqual({
      index: 1,
      held: ['uid'],
      failed: [{ key: 'unit', wanted: 'b.service', had: 'hub.service' }],
    });
  });

  it('says why an executable of the right name is not the one', () => {
    expect(nearestMiss([{ exe: '/usr/bin/tool' }], { ...base, exeFile: OTHER }, facts)?.failed[0]?.had).toBe(
      '/usr/bin/tool, another file than the one at the path',
    );
    expect(nearestMiss([{ exe: '/x' }], { ...base, exe: null, exeFile: null }, facts)?.failed[0]?.had).toBe(
      'not readable',
    );
  });

  it('is absent where one matches, and where there is none', () => {
    expect(nearestMiss([{ uid: 1 }, { uid: 1000 }], base, facts)).toBeNull();
    expect(nearestMiss([], base, facts)).toBeNull();
  });
});

// Small pools, so that keys hold about as often as they fail.
const number = fc.constantFrom(0, 27, 1000, 65534);
const unit = fc.constantFrom('a.service', 'b.service');
const file = fc.constantFrom(FILE, OTHER);
const selectors: fc.Arbitrary<Selector> = fc.record(
  {
    uid: number,
    gid: number,
    exe: fc.constantFrom(...disk.keys(), '/gone'),
    exeSha256: fc.constantFrom(SHA, 'b'.repeat(64)),
    unit,
    userUnit: unit,
  },
  { requiredKeys: [] },
);
const callers: fc.Arbitrary<Caller> = fc.record({
  uid: number,
  gid: number,
  groups: fc.array(number, { maxLength: 2 }),
  pid: fc.nat(),
  exe: fc.constantFrom('/usr/bin/tool', null),
  exeFile: fc.option(file),
  unit: fc.option(unit),
  userUnit: fc.option(unit),
  unmapped: fc.record({ uid: fc.boolean(), gid: fc.boolean() }),
});

describe('of any selectors and callers', () => {
  it('adding a key never lets anybody in', () => {
    fc.assert(
      fc.property(selectors, selectors, callers, (selector, more, caller) => {
        const narrower = { ...more, ...selector };
        fc.pre(Object.keys(selector).length > 0);
        expect(matches(narrower, caller, facts) && !matches(selector, caller, facts)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('one entry suffices, and nothing but an entry lets anybody in', () => {
    fc.assert(
      fc.property(fc.array(selectors, { maxLength: 4 }), callers, (list, caller) => {
        const each = list.map((selector) => matches(selector, caller, facts));
        expect(firstMatch(list, caller, facts)).toBe(each.includes(true) ? each.indexOf(true) : null);
        expect(mayAsk(list, caller, caller.uid, facts)).toBe(each.includes(true));
      }),
      { numRuns: 2_000 },
    );
  });

  it('there is a nearest miss exactly where some entry has keys and none matches', () => {
    fc.assert(
      fc.property(fc.array(selectors, { maxLength: 4 }), callers, (list, caller) => {
        const miss = nearestMiss(list, caller, facts);
        const some = list.some((selector) => Object.keys(selector).length > 0);
        expect(miss !== null).toBe(some && firstMatch(list, caller, facts) === null);
        for (const { key } of miss?.failed ?? []) {
          const { [key]: value } = list[miss?.index ?? -1] ?? {};
          expect(matches({ [key]: value }, caller, facts)).toBe(false);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
