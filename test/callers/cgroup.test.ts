import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCgroup, type UnitFacts } from '../../src/callers/cgroup.ts';

const none: UnitFacts = { unit: null, userUnit: null, userManagerUid: null };
const system = (unit: string): UnitFacts => ({ unit, userUnit: null, userManagerUid: null });
const user = (userManagerUid: number, userUnit: string): UnitFacts => ({ unit: null, userUnit, userManagerUid });
const MANAGER = '/user.slice/user-1000.slice/user@1000.service';

const rows: [string, string, UnitFacts][] = [
  ['a service of the machine', '0::/system.slice/foo.service', system('foo.service')],
  ['a service in nested slices', '0::/hub.slice/hub-agents.slice/bridge.service', system('bridge.service')],
  ['an instance of a template', '0::/system.slice/system-getty.slice/getty@tty1.service', system('getty@tty1.service')],
  ['an escaped dash stays as the unit has it', '0::/system.slice/dev\\x2da.service', system('dev\\x2da.service')],
  ['a name that systemd escaped for the kernel', '0::/system.slice/_cpu.service', system('cpu.service')],
  ['the first process', '0::/init.scope', system('init.scope')],
  ['a machine scope', '0::/machine.slice/libpod-abc.scope/container', system('libpod-abc.scope')],
  [
    'a delegated group below a service counts as the service',
    '0::/system.slice/a.service/b.service',
    system('a.service'),
  ],
  ['a systemd inside a scope', '0::/system.slice/d-1.scope/system.slice/b.service', system('d-1.scope')],
  ['a unit of a user', `0::${MANAGER}/app.slice/x.service`, user(1000, 'x.service')],
  ['a unit of a user in nested slices', `0::${MANAGER}/app.slice/app-x.slice/x.service`, user(1000, 'x.service')],
  ['a user unit without a slice', `0::${MANAGER}/x.service`, user(1000, 'x.service')],
  ['a scope of a user', `0::${MANAGER}/app.slice/app-term-12.scope`, user(1000, 'app-term-12.scope')],
  [
    'a forged user manager inside a user unit',
    `0::${MANAGER}/a.service/user@0.service/b.service`,
    user(1000, 'a.service'),
  ],
  ['a system slice that a user made', `0::${MANAGER}/system.slice/evil.service`, user(1000, 'evil.service')],
  ['the user manager itself', `0::${MANAGER}/init.scope`, user(1000, 'init.scope')],
  ['a user manager with nothing below', `0::${MANAGER}`, none],
  ['a session', '0::/user.slice/user-1000.slice/session-3.scope', none],
  ['a system unit in a user slice', '0::/user.slice/user-1000.slice/user-runtime-dir@1000.service', none],
  ['a root of a container', '0::/', none],
  ['outside of the daemon’s cgroup namespace', '0::/../system.slice/foo.service', none],
  ['a group that was removed', '0::/system.slice/foo.service (deleted)', none],
  ['a group that no systemd made', '0::/docker/0123abcd', none],
  ['a unit name below a foreign group', '0::/docker/foo.service', none],
  ['a slice alone', '0::/system.slice', none],
  ['legacy: systemd’s own hierarchy', '4:memory:/m\n1:name=systemd:/system.slice/foo.service\n', system('foo.service')],
  ['hybrid: both alike', '1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n', system('a.service')],
  ['hybrid: one at its root', '9:name=systemd:/\n0::/system.slice/a.service\n', system('a.service')],
  ['hybrid: two different units', '1:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n', none],
  ['a controller’s hierarchy says nothing', '4:memory:/system.slice/foo.service', none],
  ['a control character in the name', '0::/system.slice/foo\u001b.service', none],
  ['a name beyond every length', `0::/system.slice/${'a'.repeat(300)}.service`, none],
  ['nothing', '', none],
];

describe('the unit of a control group', () => {
  it.each(rows)('%s', (_name, text, expected) => {
    expect(parseCgroup(text)).toEqual(expected);
  });

  it('is never taken from what stands below the first unit', () => {
    const part = fc.stringMatching(/^[a-z@.\\_ 0-9-]{1,12}(\.service|\.scope|\.slice)?$/);
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (below) => {
        expect(parseCgroup(`0::/system.slice/own.service/${below.join('/')}x`)).toEqual(system('own.service'));
      }),
    );
  });

  it('survives any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const facts = parseCgroup(`0::${text}\n${text}`);
        expect(facts.unit === null || facts.userUnit === null).toBe(true);
      }),
    );
  });
});
