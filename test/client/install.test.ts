import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Place } from '../../client/install/place.ts';
import { type Machine, planInstall } from '../../client/install/plan.ts';
import { digestOf, EMPTY_RECORD, type InstallRecord } from '../../client/install/record.ts';
import { describe as say } from '../../client/install/steps.ts';
import { planUndo } from '../../client/install/undo.ts';
import { fitUnit } from '../../client/install/units.ts';
import { WardenError } from '../../src/kernel/errors.ts';

const shipped = fileURLToPath(new URL('../../systemd', import.meta.url));
const SERVICE =
  'Documentation=file:///usr/lib/node_modules/wardend/docs/x.md\nType=notify-reload\nExecStart=/usr/bin/wardend\n';

describe('a unit is fitted', () => {
  test.each([
    [
      'to its paths',
      { systemd: 254, node: '/usr/bin/node', package: '/usr/local/lib/node_modules/wardend' },
      'Documentation=file:///usr/local/lib/node_modules/wardend/docs/x.md\nType=notify-reload\nExecStart=/usr/bin/node /usr/local/lib/node_modules/wardend/dist/wardend.mjs\n',
    ],
    [
      'to a systemd that does not know notify-reload',
      { systemd: 252, node: '/usr/bin/node', package: '/p' },
      'Documentation=file:///p/docs/x.md\nType=notify\nExecReload=/bin/kill -HUP $MAINPID\nExecStart=/usr/bin/node /p/dist/wardend.mjs\n',
    ],
    [
      'so that no path can be a specifier, a variable or two words',
      { systemd: 254, node: '/opt/my node/%n', package: '/opt/$HOME/"q"' },
      'Documentation=file:///opt/$HOME/%%22q%%22/docs/x.md\nType=notify-reload\nExecStart="/opt/my node/%%n" "/opt/$$HOME/\\"q\\"/dist/wardend.mjs"\n',
    ],
  ])('%s', (_name, facts, expected) => {
    expect(fitUnit(SERVICE, facts)).toBe(expected);
  });

  test.each(['system', 'user'].flatMap((whose) => readdirSync(join(shipped, whose)).map((name) => join(whose, name))))(
    'and of %s nothing of the packager’s paths is left',
    (file) => {
      const facts = { systemd: 252, node: '/n/node', package: '/p' };
      const fitted = fitUnit(readFileSync(join(shipped, file), 'utf8'), facts);
      if (file.endsWith('.service')) expect(fitted).toMatch(/^ExecStart=\/n\/node \/p\/dist\/warden/m);
      expect(fitted).not.toMatch(/^(?:ExecStart=\/usr\/bin|Type=notify-reload|Documentation=.*node_modules)/m);
    },
  );
});

const UNITS = '/etc/systemd/system';
const place: Place = {
  whose: 'system',
  systemd: 254,
  node: '/usr/bin/node',
  package: '/p',
  unitDir: UNITS,
  configDir: '/etc/warden',
  stateDir: '/var/lib/warden',
  runtimeDir: '/run/warden',
  record: `${UNITS}/wardend.install.json`,
  systemctl: ['systemctl'],
  units: new Map([
    ['wardend.service', 'S\n'],
    ['wardend.socket', 'K\n'],
  ]),
};

function machineWith(files: Readonly<Record<string, string>>, folders = ['/etc/warden', UNITS]): Machine {
  return {
    read: (path) => (files[path] === undefined ? null : Buffer.from(files[path])),
    isFolder: (path) => folders.includes(path),
    accountThere: true,
  };
}

function recordOf(files: Readonly<Record<string, string>>): InstallRecord {
  const units = Object.entries(files).map(([path, text]) => ({ path, sha256: digestOf(text) }));
  return { ...EMPTY_RECORD, units, enabled: ['wardend.socket', 'wardend.service'] };
}

const shown = (machine: Machine, record = EMPTY_RECORD): string[] =>
  planInstall(place, machine, record, null).map((step) => say(step).slice(0, 2).join(' '));

const SETTINGS = { '/etc/warden/warden.yaml': 'ca: { key: "credential:ca_ed25519" }', '/etc/warden/ca_ed25519': 'k' };
const DROP_IN = `${UNITS}/wardend.service.d/10-ca-key.conf`;
const START = [
  'run systemctl enable --now wardend.socket',
  'run systemctl enable wardend.service',
  'run systemctl restart wardend.service',
];

describe('warden install', () => {
  test('writes units where there are none, and hands over a CA key that is root’s', () => {
    expect(shown(machineWith(SETTINGS))).toEqual([
      `folder ${UNITS}/wardend.service.d`,
      `file ${UNITS}/wardend.service`,
      `file ${UNITS}/wardend.socket`,
      `file ${DROP_IN}`,
      'run systemctl daemon-reload',
      ...START,
    ]);
  });

  test('hands over no key that is not there, nor one that the config does not ask for', () => {
    expect(shown(machineWith({ '/etc/warden/warden.yaml': SETTINGS['/etc/warden/warden.yaml'] }))).not.toContain(
      `file ${DROP_IN}`,
    );
    expect(shown(machineWith({ '/etc/warden/ca_ed25519': 'k' }))).not.toContain(`file ${DROP_IN}`);
  });

  test('leaves what is there as it should be', () => {
    expect(shown(machineWith({ [`${UNITS}/wardend.service`]: 'S\n', [`${UNITS}/wardend.socket`]: 'K\n' }))).toEqual(
      START,
    );
  });

  test('replaces what an older one wrote, and binds a changed socket anew', () => {
    const old = { [`${UNITS}/wardend.service`]: 'older\n', [`${UNITS}/wardend.socket`]: 'older\n' };
    expect(shown(machineWith(old), recordOf(old))).toEqual([
      `replace ${UNITS}/wardend.service`,
      `replace ${UNITS}/wardend.socket`,
      'run systemctl daemon-reload',
      'run systemctl stop wardend.service wardend.socket',
      ...START,
    ]);
  });

  test.each([
    ['that somebody else wrote', EMPTY_RECORD, 'is there already, and warden install did not write it'],
    [
      'that somebody changed',
      recordOf({ [`${UNITS}/wardend.service`]: 'older\n' }),
      'was changed since warden install wrote it',
    ],
  ])('touches nothing where there is a unit %s', (_name, record, says) => {
    const plan = (): unknown => shown(machineWith({ [`${UNITS}/wardend.service`]: 'mine\n' }), record);
    expect(plan).toThrow(WardenError);
    expect(plan).toThrow(`${UNITS}/wardend.service ${says}`);
  });
});

describe('warden install --uninstall', () => {
  const files = { [`${UNITS}/wardend.service`]: 'S\n', [`${UNITS}/wardend.socket`]: 'K\n' };
  const record: InstallRecord = {
    ...recordOf(files),
    account: true,
    group: true,
    config: [{ path: '/etc/warden/warden.yaml', sha256: digestOf('c') }],
    state: '/var/lib/warden',
    folders: ['/etc/warden'],
  };
  const there = machineWith({ ...files, '/etc/warden/warden.yaml': 'edited' }, ['/var/lib/warden', '/etc/warden']);
  const undone = (machine: Machine, purge: boolean): string[] =>
    planUndo(place, machine, record, purge).steps.map(({ says }) => says.slice(0, 2).join(' '));

  test('keeps config, ledger and the user that owns it', () => {
    expect(undone(there, false)).toEqual([
      'run systemctl disable --now wardend.socket wardend.service',
      'remove /run/warden',
      `remove ${UNITS}/wardend.service`,
      `remove ${UNITS}/wardend.socket`,
      'run systemctl daemon-reload',
    ]);
    expect(planUndo(place, there, record, false).kept.map(([what]) => what)).toEqual([
      '/etc/warden/warden.yaml',
      '/var/lib/warden',
      'user and group warden',
    ]);
  });

  test('with --purge removes those too', () => {
    expect(undone(there, true).slice(5)).toEqual([
      'remove /etc/warden/warden.yaml',
      'remove /var/lib/warden',
      'remove user and group warden',
    ]);
    expect(planUndo(place, there, record, true).kept).toEqual([]);
  });

  test('keeps a unit that was changed since, and what it did not make', () => {
    const changed = machineWith({ [`${UNITS}/wardend.service`]: 'mine\n', [`${UNITS}/wardend.socket`]: 'K\n' });
    const plan = planUndo(place, changed, { ...record, account: false, group: false, state: null, config: [] }, true);
    expect(plan.steps.map(({ says }) => says[1])).not.toContain(`${UNITS}/wardend.service`);
    expect(plan.kept).toEqual([[`${UNITS}/wardend.service`, 'it was changed since it was installed']]);
    expect(plan.steps.some(({ says }) => /warden\b.*group|\/var\/lib/.test(says[1]))).toBe(false);
  });
});
