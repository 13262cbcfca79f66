import { existsSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename } from 'node:path';
import { formatProblem } from '../../src/config/problems.ts';
import type { Snapshot } from '../../src/config/snapshot.ts';
import { WardenError } from '../../src/kernel/errors.ts';
import type { AuthorityKey } from '../../src/signing/certificate-authority.ts';
import { loadAuthority } from '../../src/signing/load-authority.ts';
import { fingerprint } from '../../src/ssh/fingerprint.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import { formatPrivateKey } from '../../src/ssh/private-key.ts';
import { formatPublicKey } from '../../src/ssh/public-key.ts';
import { usageError } from '../args.ts';
import type { WrittenCa } from '../ca-roll/edit-ca.ts';
import { CaFolder } from '../ca-roll/folder.ts';
import { longestLifeMs, retiredAt, stageOf, stamp } from '../ca-roll/stage.ts';
import { tellDaemon } from '../ca-roll/tell-daemon.ts';
import { daemonUidOf, namedConfigFolder } from '../config-offline.ts';
import { shortTime } from '../evidence.ts';
import type { Invocation } from '../invocation.ts';

type Step = 'begin' | 'switch' | 'finish' | 'status';
const STEPS: readonly Step[] = ['begin', 'switch', 'finish', 'status'];

interface Roll {
  readonly invocation: Invocation;
  readonly folder: CaFolder;
  readonly config: Snapshot;
  readonly now: number;
}

/** One step of a roll of the CA key, in the config folder; the daemon takes it up by itself. */
export async function run(invocation: Invocation): Promise<number> {
  const { args } = invocation;
  const given = STEPS.filter((step) => args.flag(step));
  const [step = 'status'] = given;
  if (given.length > 1) throw usageError(`--${given.join(' and --')} are steps of their own`, 'one at a time');
  const folder = new CaFolder(namedConfigFolder(invocation));
  const { config, problems } = await folder.tried(folder.ca);
  if (config === null) {
    const [first] = problems;
    throw new WardenError('config_invalid', `the config in ${folder.dir} does not hold: ${first?.message ?? ''}`, {
      hint: first?.hint ?? `see warden check --config ${folder.dir}`,
    });
  }
  if (config.settings.backend === 'openbao') {
    throw usageError(
      'OpenBao holds the CA key here, and rolls it',
      'issuers of its SSH engine: bao list MOUNT/issuers',
    );
  }
  const key = folder.pathOf(folder.ca.key);
  if (key !== null && !existsSync(key)) {
    throw usageError(
      `there is no CA key at ${key}`,
      'in dev the daemon makes one of its own, which is not rolled; else make one: ssh-keygen -t ed25519',
    );
  }
  const roll: Roll = { invocation, folder, config, now: Date.now() };
  switch (step) {
    case 'begin':
      return begin(roll);
    case 'switch':
      return switchOver(roll);
    case 'finish':
      return finish(roll);
    case 'status':
      return status(roll);
  }
}

async function begin(roll: Roll): Promise<number> {
  const { invocation, folder, config, now } = roll;
  const { args } = invocation;
  const { ca } = folder;
  if (ca.next !== null)
    throw order(`a roll is under way: ${ca.next} is the next key`, 'go on with: warden ca roll --switch');
  const named = args.string('next');
  if (named === undefined && folder.pathOf(ca.key) === null) {
    throw usageError(
      `the CA key is ${ca.key}, and another of its kind is not this command's to make`,
      'name it: --next credential:NAME, --next agent:SHA256:… or --next FILE',
    );
  }
  const name = named ?? newName(folder, now);
  const next: WrittenCa = { ...ca, next: name };
  const plan = [
    ...(named === undefined ? [`make ${name} (ed25519, 0600) and ${name}.pub`] : []),
    `warden.yaml: ca.next: ${name}`,
  ];
  if (args.flag('dry-run')) return announce(roll, plan);
  if (named === undefined) {
    const label = config.settings.posture === 'dev' ? 'synthetic-ca' : 'warden-ca';
    const machine = hostname().replace(/[^A-Za-z0-9.-]/g, '-') || 'host';
    const key = await generateKeyPair(
      'ed25519',
      `${label}-${config.settings.posture}-${machine}-${stamp(now).slice(0, 8)}`,
    );
    const secret = formatPrivateKey(key);
    try {
      folder.add(name, secret, 0o600);
      folder.add(`${name}.pub`, `${formatPublicKey(key.publicKey)}\n`, 0o644);
    } finally {
      secret.fill(0);
    }
  }
  const after = await putInForce(roll, next);
  return report(roll, after, plan, [
    'certificates are signed by the current key still; the next one is published',
    'now bring both onto every host: warden ca --quiet > /etc/ssh/warden_ca.pub',
    'when all of them trust the next key: warden ca roll --switch',
  ]);
}

async function switchOver(roll: Roll): Promise<number> {
  const { invocation, folder, config, now } = roll;
  const { ca } = folder;
  if (ca.next === null) throw order('there is no next key to switch to', 'begin with: warden ca roll --begin');
  const path = folder.pathOf(ca.key);
  if (path === null) {
    throw usageError(
      `the public half of ${ca.key} cannot be read from here, and it must stay published`,
      `write it into a .pub file, then in warden.yaml: ca: { key: "${ca.next}", retired: [FILE.pub] }`,
    );
  }
  const current = (await keysOf(roll, config)).find(({ state }) => state === 'current');
  if (current === undefined) throw new Error('a config that holds has a current key');
  const retired = `${basename(path)}-retired-${stamp(now)}.pub`;
  const next: WrittenCa = { key: ca.next, next: null, retired: [...ca.retired, retired] };
  const plan = [
    `write ${retired}, the public half of ${ca.key}`,
    `warden.yaml: ca.key: ${ca.next}, ca.retired: + ${retired}`,
  ];
  if (invocation.args.flag('dry-run')) return announce(roll, plan);
  folder.add(retired, `${formatPublicKey(current.publicKey, current.comment)}\n`, 0o644);
  const after = await putInForce(roll, next);
  return report(roll, after, plan, [
    `certificates are signed by ${fingerprintOf(after, 'current')} from now on; those of the former key stay good`,
    `they may last until ${shortTime(new Date(now + longestLifeMs(config)))}; hosts must trust both until then`,
    'after that: warden ca roll --finish',
  ]);
}

async function finish(roll: Roll): Promise<number> {
  const { invocation, folder, config, now } = roll;
  const { ca } = folder;
  if (ca.next !== null)
    throw order(`${ca.next} is the next key, and nothing was switched to it`, 'first: warden ca roll --switch');
  if (ca.retired.length === 0) throw order('there is no retired key', 'a roll begins with: warden ca roll --begin');
  const due = new Date(Math.max(...ca.retired.map((setting) => retirement(folder, setting))) + longestLifeMs(config));
  if (due.getTime() > now && !invocation.args.flag('now')) {
    throw order(
      `certificates of the retired key may last until ${shortTime(due)}`,
      'wait until then, or shut them out on purpose: warden ca roll --finish --now',
    );
  }
  const next: WrittenCa = { ...ca, retired: [] };
  const plan = [`warden.yaml: ca.retired: - ${ca.retired.join(', ')}`];
  if (invocation.args.flag('dry-run')) return announce(roll, plan);
  const after = await putInForce(roll, next);
  return report(roll, after, plan, [
    'now take the retired key off every host: warden ca --quiet > /etc/ssh/warden_ca.pub',
    `and do away with its private half, which nothing needs any more: shred -u FILE in ${folder.dir}`,
  ]);
}

async function status(roll: Roll): Promise<number> {
  const { folder, config, now, invocation } = roll;
  const stage = stageOf(folder.ca);
  const keys = await keysOf(roll, config);
  const next = {
    none: 'no roll is under way; one begins with: warden ca roll --begin',
    begun: 'begun: when every host trusts the next key: warden ca roll --switch',
    switched: `switched: certificates of the retired key may last until ${shortTime(new Date(Math.max(...folder.ca.retired.map((setting) => retirement(folder, setting)), 0) + longestLifeMs(config)))}, then: warden ca roll --finish`,
  }[stage];
  const { out } = invocation;
  if (out.json) {
    out.object({
      folder: folder.dir,
      stage,
      keys: keys.map(({ publicKey, state, custody, since }) => ({
        state,
        fingerprint: fingerprint(publicKey.blob),
        custody,
        since: since === undefined ? undefined : new Date(since).toISOString(),
        age_days: since === undefined ? undefined : days(now - since),
      })),
    });
    return 0;
  }
  showKeys(roll, keys);
  out.line(next);
  return 0;
}

/** Held against every rule first; nothing is written that the daemon would not take. */
async function putInForce({ folder }: Roll, ca: WrittenCa): Promise<AuthorityKey[]> {
  const { config, problems } = await folder.tried(ca);
  if (config === null) {
    throw new WardenError('config_invalid', `with that warden.yaml would not hold, and it is as it was`, {
      hint: problems.map(formatProblem).join('; ').replaceAll('\n', ' '),
    });
  }
  folder.write(ca);
  return keysIn(config, folder.dir);
}

function announce({ invocation: { out } }: Roll, plan: readonly string[]): number {
  out.line('this would be done, and nothing was:');
  for (const line of plan) out.line(`  ${line}`);
  return 0;
}

async function report(
  roll: Roll,
  keys: readonly AuthorityKey[],
  plan: readonly string[],
  says: readonly string[],
): Promise<number> {
  const { out } = roll.invocation;
  const told = await tellDaemon(roll.invocation, roll.folder.dir);
  if (out.json)
    out.object({
      folder: roll.folder.dir,
      done: plan,
      trust: keys.map(({ publicKey }) => fingerprint(publicKey.blob)),
      in_force: told.inForce,
    });
  else {
    for (const line of plan) out.line(`done: ${line}`);
    showKeys(roll, keys);
    if (told.amiss) out.error(told.says);
    else out.note(told.says);
    for (const line of says) out.note(line);
  }
  return 0;
}

function showKeys({ invocation: { out }, now }: Roll, keys: readonly AuthorityKey[]): void {
  out.line('hosts must trust:');
  for (const { publicKey, state, since } of keys) {
    const age = since === undefined || state === 'retired' ? '' : `  ${days(now - since)} days old`;
    out.line(`  ${state.padEnd(7)}  ${fingerprint(publicKey.blob)}${age}`);
  }
  if (keys.length === 0) out.line('  what `warden ca` prints: the key is not in a file');
}

function keysOf({ folder }: Roll, config: Snapshot): Promise<AuthorityKey[]> {
  return keysIn(config, folder.dir);
}

/** The keys of a config as far as files tell. */
async function keysIn({ settings }: Snapshot, dir: string): Promise<AuthorityKey[]> {
  const { ca, posture } = settings;
  const isFile = (key: string): boolean => key.startsWith('/');
  if (!isFile(ca.key) || !existsSync(ca.key)) return [];
  const files = {
    key: ca.key,
    next: ca.next !== null && isFile(ca.next) ? ca.next : null,
    retired: ca.retired.filter(isFile),
  };
  const context = { posture, uid: daemonUidOf(dir), credentialsDirectory: null, agentSocket: null };
  const authority = await loadAuthority(files, context);
  await authority.close();
  return [...authority.keys()];
}

function fingerprintOf(keys: readonly AuthorityKey[], state: AuthorityKey['state']): string {
  const key = keys.find((one) => one.state === state);
  return key === undefined ? `the ${state} key` : fingerprint(key.publicKey.blob);
}

/** When a key ceased to sign: in the name that a switch gave it, else when its file was written. */
function retirement(folder: CaFolder, setting: string): number {
  const path = folder.pathOf(setting);
  return retiredAt(setting) ?? (path === null ? 0 : (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0));
}

function newName(folder: CaFolder, now: number): string {
  const base = `ca_ed25519_${stamp(now).slice(0, 8)}`;
  for (let turn = 1; ; turn += 1) {
    const name = turn === 1 ? base : `${base}_${turn}`;
    if (!existsSync(folder.pathOf(name) ?? '') && !existsSync(folder.pathOf(`${name}.pub`) ?? '')) return name;
  }
}

function days(ms: number): number {
  return Math.max(0, Math.floor(ms / 86_400_000));
}

/** The wrong order: nothing was done. */
function order(message: string, hint: string): WardenError {
  return new WardenError('roll_out_of_order', message, { hint });
}
