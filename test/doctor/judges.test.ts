import { describe, expect, test } from 'vitest';
import type { Check } from '../../client/doctor/check.ts';
import { exitCodeOf } from '../../client/doctor/check.ts';
import { skewOf } from '../../client/doctor/clock.ts';
import { containerOf, serviceIn } from '../../client/doctor/gather-machine.ts';
import { type DaemonFacts, judgeDaemon, judgeVersions } from '../../client/doctor/judge-daemon.ts';
import {
  type CaFacts,
  judgeCa,
  judgeConfig,
  judgeLedger,
  judgeSocket,
  judgeState,
  type SocketFacts,
  type StateFacts,
} from '../../client/doctor/judge-files.ts';
import { judgeMachine, type MachineFacts } from '../../client/doctor/judge-machine.ts';
import {
  type GateFacts,
  judgeClock,
  judgeGate,
  judgeStore,
  type StoreFacts,
} from '../../client/doctor/judge-outside.ts';
import { coreLimit } from '../../daemon/process-status.ts';
import { StatusResponse } from '../../src/rpc/generated/warden/v1/warden.ts';

/** `id state`, and the words. */
function brief(checks: readonly Check[] | Check): string[] {
  return [checks].flat().map(({ id, state, says }) => `${id} ${state}: ${says}`);
}

function expectMends(checks: readonly Check[] | Check): void {
  for (const { state, mend, says } of [checks].flat()) {
    if (state === 'finding') expect(mend, says).toMatch(/\S/);
    expect(says).not.toMatch(/\.$/);
  }
}

describe('the socket', () => {
  const good: SocketFacts = {
    path: '/run/warden/wardend.sock',
    file: { uid: 990, gid: 991, mode: 0o140660 },
    folder: { uid: 990, gid: 991, mode: 0o40750 },
    wanted: { mode: 0o660, group: 991 },
    daemonUid: 990,
  };
  test.each<[string, Partial<SocketFacts>, string, RegExp]>([
    ['is as configured', {}, 'ok', /mode 0660, uid 990, gid 991$/],
    ['is not there', { file: null }, 'off', /there is none/],
    ['may not be looked at', { file: 'no permission' }, 'unknown', /no permission/],
    ['is open to everybody', { file: { uid: 990, gid: 991, mode: 0o666 } }, 'finding', /everybody may connect/],
    [
      'can be replaced by everybody',
      { folder: { uid: 0, gid: 0, mode: 0o777 } },
      'finding',
      /everybody may put another socket/,
    ],
    ['lies in a sticky folder', { folder: { uid: 0, gid: 0, mode: 0o1777 } }, 'ok', /mode 0660/],
    ["lies in somebody's folder", { folder: { uid: 7, gid: 0, mode: 0o755 } }, 'finding', /folder belongs to uid 7/],
    ["is somebody's", { file: { uid: 7, gid: 991, mode: 0o660 } }, 'finding', /belongs to uid 7/],
    ['has another mode', { file: { uid: 990, gid: 991, mode: 0o600 } }, 'finding', /socket\.mode says 0660/],
    ['has another group', { file: { uid: 990, gid: 0, mode: 0o660 } }, 'finding', /socket\.group says 991/],
    ['is judged without a config', { wanted: null, file: { uid: 0, gid: 0, mode: 0o600 } }, 'ok', /0600/],
  ])('%s', (_what, more, state, words) => {
    const check = judgeSocket({ ...good, ...more });
    expect(check.state).toBe(state);
    expect(check.says).toMatch(words);
    expectMends(check);
  });
});

describe('config, state folder, disk, CA key and ledger', () => {
  const MiB = 1024 * 1024;
  const config = { dir: '/c', closed: null, empty: false, posture: 'prod', actors: 2, problems: [], warnings: [] };
  const state: StateFacts = {
    dir: '/s',
    folder: { uid: 5, gid: 5, mode: 0o40700 },
    daemonUid: 5,
    disk: { free: 4096 * MiB, total: 8192 * MiB, freeFiles: 100_000 },
  };
  const ca: CaFacts = {
    backend: 'local',
    posture: 'prod',
    key: '/c/ca_ed25519',
    file: { uid: 5, gid: 5, mode: 0o100600 },
    ageDays: 10,
    daemonUid: 5,
    mode: 'system',
  };
  const problem = { place: 'warden.yaml', message: 'writable by others', hint: 'chmod go-w /c/warden.yaml' };
  test.each<[string, Check | Check[], string[]]>([
    [
      'a config that holds',
      judgeConfig(config),
      ['config ok: /c: posture prod, 2 actors; owners and permissions hold'],
    ],
    ['one with a warning', judgeConfig({ ...config, warnings: ['w'] }).slice(1), ['config note: w']],
    [
      'one with a problem',
      judgeConfig({ ...config, problems: [problem] }),
      ['config finding: warden.yaml: writable by others'],
    ],
    ['one that is closed', judgeConfig({ ...config, closed: 'cannot read /c' }), ['config unknown: cannot read /c']],
    [
      'none',
      judgeConfig({ ...config, empty: true }),
      ["config note: there is none in /c: the dev posture's defaults stand"],
    ],
    ['a good state folder', judgeState(state), ['state ok: /s, mode 0700, uid 5', 'disk ok: 4096 MiB free']],
    ['none yet', judgeState({ ...state, folder: null }), ['state note: there is no /s yet: the daemon makes it']],
    ['a closed one', judgeState({ ...state, folder: 'no permission' }), ['state unknown: /s: no permission']],
    [
      'one that others read',
      judgeState({ ...state, folder: { uid: 5, gid: 5, mode: 0o755 } }).slice(0, 1),
      ['state finding: others may look into it: /s, mode 0755, uid 5'],
    ],
    [
      "another's",
      judgeState({ ...state, daemonUid: 6 }).slice(0, 1),
      ['state finding: it does not belong to the daemon (uid 6): /s, mode 0700, uid 5'],
    ],
    [
      'a full disk',
      judgeState({ ...state, disk: { free: 3 * MiB, total: 8192 * MiB, freeFiles: 9999 } }).slice(1),
      ['disk finding: 3 MiB free: refusals are no longer recorded one by one'],
    ],
    [
      'a nearly full disk',
      judgeState({ ...state, disk: { free: 60 * MiB, total: 8192 * MiB, freeFiles: 9999 } }).slice(1),
      ['disk finding: 60 MiB free: the end is near'],
    ],
    [
      'a disk without inodes',
      judgeState({ ...state, disk: { free: 4096 * MiB, total: 8192 * MiB, freeFiles: 3 } }).slice(1),
      ['disk finding: 3 files may still be made (inodes)'],
    ],
    [
      'a disk that makes its inodes as it goes',
      judgeState({ ...state, disk: { free: 4096 * MiB, total: 8192 * MiB, freeFiles: -1 } }).slice(1),
      ['disk ok: 4096 MiB free'],
    ],
    ['a good CA key', judgeCa(ca), ['ca ok: the key is a file, mode 0600, 10 days old']],
    ['an old one', judgeCa({ ...ca, ageDays: 400 }).slice(1), ['ca.age note: the CA key is 400 days old']],
    ['none', judgeCa({ ...ca, file: null }), ['ca finding: there is no CA key at /c/ca_ed25519']],
    [
      'one that others read',
      judgeCa({ ...ca, file: { uid: 5, gid: 5, mode: 0o100640 } }),
      ['ca finding: others may read the CA key /c/ca_ed25519, mode 0640'],
    ],
    [
      "another's",
      judgeCa({ ...ca, file: { uid: 9, gid: 5, mode: 0o100600 } }),
      ['ca finding: the CA key /c/ca_ed25519 belongs to uid 9'],
    ],
    [
      'prod in user mode',
      judgeCa({ ...ca, mode: 'user' }).slice(1),
      ['ca.custody note: prod with the CA key in a file that programs of the same user can read'],
    ],
    [
      'a key in an agent',
      judgeCa({ ...ca, key: 'agent:SHA256:x' }),
      ['ca ok: the key is held by an ssh-agent (SHA256:x)'],
    ],
    [
      'a credential',
      judgeCa({ ...ca, key: 'credential:ca' }),
      ['ca ok: the key comes as a systemd credential (credential:ca)'],
    ],
    ['OpenBao', judgeCa({ ...ca, backend: 'openbao' }), ['ca ok: the key is in OpenBao, which alone signs with it']],
    ['no ledger', judgeLedger({ kind: 'none', dir: '/s' }), ['ledger note: there is none in /s yet']],
    ['a closed one', judgeLedger({ kind: 'closed', why: 'no permission' }), ['ledger unknown: no permission']],
    [
      'a whole one',
      judgeLedger({ kind: 'whole', records: 3, findings: [], notes: 0 }),
      ['ledger ok: 3 records, chain and signatures hold'],
    ],
    [
      'a broken one',
      judgeLedger({ kind: 'whole', records: 3, findings: ['a', 'b'], notes: 0 }),
      ['ledger finding: broken: a (and 1 more)'],
    ],
    [
      'a long one',
      judgeLedger({ kind: 'tail', records: 1000, lastSeq: 9, fault: null }),
      ['ledger ok: the last 1000 records up to 9 hold; warden ledger verify reads all'],
    ],
    [
      'a long one with a broken end',
      judgeLedger({ kind: 'tail', records: 2, lastSeq: 9, fault: 'x' }),
      ['ledger finding: broken at its end: x'],
    ],
  ])('%s', (_what, checks, expected) => {
    expect(brief(checks)).toEqual(expected);
    expectMends(checks);
  });
});

describe('what the daemon says of itself', () => {
  const status = StatusResponse.fromPartial({
    version: '1.2.3',
    pid: 7,
    posture: 'prod',
    mode: 'system',
    process: { node: 'v24.1.0', kernel: '6.8.0', uid: 5, dumpable: false, coreLimit: 0n, pidfd: true, terminals: true },
    caller: { uid: 1000, gid: 1000, pid: 99, exe: '/usr/bin/node', unit: 'hub.service' },
  });
  const facts = (more: Partial<StatusResponse>, ms = 3): DaemonFacts => ({
    reached: true,
    status: { ...status, ...more },
    ms,
    clientVersion: '1.2.9',
    ownPid: 99,
  });
  const process = status.process as NonNullable<StatusResponse['process']>;
  const caller = status.caller as NonNullable<StatusResponse['caller']>;
  test('all is well', () => {
    expect(judgeDaemon(facts({})).map(({ id, state }) => `${id} ${state}`)).toEqual([
      'daemon ok',
      'version ok',
      'protection ok',
      'hardening ok',
      'pidfd ok',
      'daemon.node ok',
      'terminals ok',
      'caller ok',
    ]);
  });
  test.each<[string, DaemonFacts, RegExp]>([
    ['slow', facts({}, 1500), /^daemon finding: .*took 1500 ms/],
    ['user mode', facts({ mode: 'user' }), /^protection note: user mode separates nothing within one uid/],
    ['dumpable', facts({ process: { ...process, dumpable: true } }), /^hardening finding: other processes/],
    ['core files', facts({ process: { ...process, coreLimit: 9n } }), /^hardening finding: it may write a core file/],
    [
      'no pidfd',
      facts({ process: { ...process, pidfd: false } }),
      /^pidfd finding: callers are held by their start time/,
    ],
    ['no terminals', facts({ process: { ...process, terminals: false } }), /^terminals note: it can open no terminal/],
    ['an older daemon', facts({ process: undefined }), /^hardening unknown: this daemon is too old to say/],
    ['an unseen namespace', facts({ caller: { ...caller, pid: 0, exe: '' } }), /^caller finding: .*pid namespace/],
    ['an unreadable process', facts({ caller: { ...caller, exe: '' } }), /^caller finding: .*cannot read/],
    ['a container', facts({ caller: { ...caller, pid: 4000 } }), /^caller note: .*pid 99 here is 4000 there/],
    [
      'a dependency that is down',
      facts({ dependencies: [{ name: 'policy', state: 'not_serving', detail: 'gone', hint: 'bring it back' }] }),
      /^daemon\.policy finding: gone/,
    ],
    ['a notice', facts({ notices: ['break-glass is open'] }), /^daemon\.note\.1 note: break-glass is open/],
    [
      'no daemon',
      {
        reached: false,
        error: {
          kind: 'unreachable',
          reason: 'daemon_unreachable',
          message: 'no daemon at /x',
          hint: 'start it',
          decisionId: undefined,
          ledgerSeq: undefined,
          requestId: undefined,
        },
      },
      /^daemon finding: no daemon at \/x/,
    ],
  ])('%s', (_what, given, expected) => {
    const checks = judgeDaemon(given);
    expect(brief(checks)).toContainEqual(expect.stringMatching(expected));
    expectMends(checks);
  });

  test.each([
    ['1.2.3', '1.2.9', 'ok', undefined],
    ['1.2.3', '1.3.0', 'note', 'upgrade the daemon'],
    ['2.0.0', '1.9.0', 'note', 'upgrade the client'],
    ['0.9.0', '0.10.0', 'note', 'upgrade the daemon'],
  ])('daemon %s and client %s: %s', (daemon, client, state, mend) => {
    expect(judgeVersions(daemon, client)).toMatchObject({ state, ...(mend === undefined ? {} : { mend }) });
  });
});

describe('the decision point', () => {
  const look = { ms: 5, fault: null };
  const fault = { message: 'm', hint: 'h' };
  const good: GateFacts = {
    enabled: true,
    url: 'https://pdp',
    timeoutMs: 2000,
    posture: 'prod',
    ready: look,
    asked: { ...look, effect: 'deny' },
    certificateEnds: Date.UTC(2030, 0, 1),
    now: Date.UTC(2029, 0, 1),
  };
  test.each<[string, Partial<GateFacts>, string[]]>([
    ['serves', {}, ['policy ok', 'policy.authorised ok', 'policy.tls ok']],
    ['is off in dev', { enabled: false, posture: 'dev' }, ['policy off']],
    ['is off in prod', { enabled: false }, ['policy note']],
    ['is a double', { ready: null, asked: null, posture: 'dev' }, ['policy off']],
    ['is down', { ready: { ms: 1, fault } }, ['policy finding']],
    ['is slow', { ready: { ms: 1500, fault: null }, asked: null, certificateEnds: null }, ['policy finding']],
    [
      'refuses us',
      { asked: { ms: 1, fault, effect: null }, certificateEnds: null },
      ['policy ok', 'policy.authorised finding'],
    ],
    [
      'allows nobody',
      { asked: { ...look, effect: 'allow' }, certificateEnds: null },
      ['policy ok', 'policy.authorised finding'],
    ],
    [
      'has a certificate that ends',
      { now: Date.UTC(2029, 11, 25) },
      ['policy ok', 'policy.authorised ok', 'policy.tls finding'],
    ],
  ])('%s', (_what, more, expected) => {
    const checks = judgeGate({ ...good, ...more });
    expect(checks.map(({ id, state }) => `${id} ${state}`)).toEqual(expected);
    expectMends(checks);
  });
});

describe('OpenBao', () => {
  const fault = { message: 'OpenBao is sealed', hint: 'unseal it' };
  const good: StoreFacts = {
    configured: true,
    address: 'https://bao',
    posture: 'prod',
    tier: 'prod',
    health: { ms: 5, fault: null },
    credentials: [{ path: '/c/token', fault: null, closed: false }],
    token: { ms: 5, fault: null, ttlSeconds: 3600 },
    certificateEnds: null,
    now: 0,
  };
  test.each<[string, Partial<StoreFacts>, string[]]>([
    ['serves', {}, ['openbao ok', 'openbao.login ok', 'openbao.token ok']],
    ['is not configured', { configured: false }, ['openbao off']],
    ['is a double', { health: null }, ['openbao off']],
    ['is sealed', { health: { ms: 1, fault }, token: null }, ['openbao finding', 'openbao.login ok']],
    ['says no tier', { tier: null, token: null }, ['openbao ok', 'openbao.tier finding', 'openbao.login ok']],
    ['is of another tier', { tier: 'test', token: null }, ['openbao ok', 'openbao.tier finding', 'openbao.login ok']],
    [
      'has a credential that others read',
      { credentials: [{ path: '/c/t', fault: 'others may read it', closed: false }], token: null },
      ['openbao ok', 'openbao.login finding'],
    ],
    [
      'has a credential that we may not read',
      { credentials: [{ path: '/c/t', fault: 'no permission', closed: true }], token: null },
      ['openbao ok', 'openbao.login unknown'],
    ],
    [
      'takes the token for a minute',
      { token: { ms: 1, fault: null, ttlSeconds: 60 } },
      ['openbao ok', 'openbao.login ok', 'openbao.token finding'],
    ],
    [
      'does not take the token',
      { token: { ms: 1, fault, ttlSeconds: null } },
      ['openbao ok', 'openbao.login ok', 'openbao.token finding'],
    ],
    [
      'takes a root token',
      { token: { ms: 1, fault: null, ttlSeconds: 0 } },
      ['openbao ok', 'openbao.login ok', 'openbao.token ok'],
    ],
  ])('%s', (_what, more, expected) => {
    const checks = judgeStore({ ...good, ...more });
    expect(checks.map(({ id, state }) => `${id} ${state}`)).toEqual(expected);
    expectMends(checks);
  });
});

describe('clocks', () => {
  test.each<[string, { least: number; most: number } | null, string, RegExp]>([
    ['not compared', null, 'unknown', /was not compared: why/],
    ['agree within what a second can tell', { least: -400, most: 700 }, 'ok', /agrees/],
    ['a little ahead', { least: 3_000, most: 4_000 }, 'note', /3\.0 s ahead of/],
    ['far ahead', { least: 120_000, most: 121_000 }, 'finding', /120\.0 s ahead of/],
    ['far behind', { least: -121_000, most: -120_000 }, 'finding', /120\.0 s behind/],
  ])('%s', (_what, skew, state, words) => {
    const check = judgeClock({ id: 'clock.x', name: 'x', skew, why: 'why' });
    expect(check.state).toBe(state);
    expect(check.says).toMatch(words);
    expectMends(check);
  });
  test('a header in whole seconds leaves a second open, and the time on the way too', () => {
    expect(skewOf(10_000, 9_900, 10_100)).toEqual({ least: -100, most: 1_099 });
    expect(skewOf(Number.NaN, 0, 1)).toBeNull();
  });
});

describe('the machine', () => {
  const good: MachineFacts = {
    kernel: '6.8.0-1-amd64',
    node: 'v20.19.0',
    koffi: true,
    terminals: true,
    container: 'none',
    systemd: {
      version: 257,
      unit: { name: 'wardend.service', type: 'notify-reload', notify: 'main', watchdog: '30s' },
    },
  };
  const unit = { name: 'wardend.service', type: 'notify', notify: 'main', watchdog: '30s' };
  test.each<[string, Partial<MachineFacts>, string]>([
    ['an old kernel', { kernel: '4.19.0' }, 'kernel finding'],
    ['a kernel without SO_PEERPIDFD', { kernel: '6.1.0-40-amd64' }, 'kernel note'],
    ['a new kernel', { kernel: '6.18.44' }, 'kernel ok'],
    ['an old Node', { node: 'v20.18.3' }, 'node finding'],
    ['a new Node', { node: 'v24.0.0' }, 'node ok'],
    ['no koffi', { koffi: false }, 'koffi finding'],
    ['no terminals', { terminals: false }, 'terminals note'],
    ['a container', { container: 'both' }, 'container note'],
    ['no systemd', { systemd: null }, 'systemd off'],
    ['no unit', { systemd: { version: 252, unit: null } }, 'systemd off'],
    ['Type=simple', { systemd: { version: 252, unit: { ...unit, type: 'simple' } } }, 'systemd finding'],
    ['Type=notify where notify-reload is known', { systemd: { version: 257, unit } }, 'systemd note'],
    ['Type=notify where it is not', { systemd: { version: 252, unit } }, 'systemd ok'],
    ['Type=notify-reload', {}, 'systemd ok'],
  ])('%s', (_what, more, expected) => {
    const checks = judgeMachine({ ...good, ...more });
    expect(checks.map(({ id, state }) => `${id} ${state}`)).toContain(expected);
    expectMends(checks);
  });

  test.each([
    ['pid:[4026531836]', 'user:[4026531837]', 'none'],
    ['pid:[4026532211]', 'user:[4026531837]', 'pid'],
    ['pid:[4026531836]', 'user:[4026532999]', 'user'],
    ['pid:[4026532211]', 'user:[4026532999]', 'both'],
    [null, null, 'none'],
  ])('namespaces %s and %s: %s', (pid, user, expected) => {
    expect(containerOf(pid, user)).toBe(expected);
  });

  test.each([
    ['0::/system.slice/wardend.service\n', { name: 'wardend.service', user: false }],
    [
      '0::/user.slice/user-1000.slice/user@1000.service/app.slice/wardend.service\n',
      { name: 'wardend.service', user: true },
    ],
    ['0::/user.slice/user-1000.slice/user@1000.service/init.scope\n', null],
    ['0::/user.slice/user-1000.slice/session-2.scope\n', null],
    ['1:name=systemd:/system.slice/x.service\n', null],
  ])('%s', (cgroup, expected) => {
    expect(serviceIn(cgroup)).toEqual(expected);
  });

  test.each([
    ['Max core file size        0                    unlimited            bytes', 0n],
    ['Max core file size        unlimited            unlimited            bytes', 2n ** 64n - 1n],
    ['', 2n ** 64n - 1n],
  ])('the limit of core files in %j', (limits, expected) => {
    expect(coreLimit(limits)).toBe(expected);
  });
});

test('findings alone decide the exit code', () => {
  const of = (state: Check['state']): Check => ({ id: 'x', state, says: '' });
  expect(exitCodeOf([of('ok'), of('note'), of('unknown'), of('off')])).toBe(0);
  expect(exitCodeOf([of('ok'), of('finding')])).toBe(1);
});
