import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { asWardenError } from '../../src/kernel/errors.ts';
import { type EnvPosture, POSTURES } from '../../src/kernel/posture.ts';
import { quoted, usageError } from '../args.ts';
import { carryOut, thisMachine } from '../install/carry-out.ts';
import { checkPlace, type Place, placeOf, type Whose } from '../install/place.ts';
import { ACCOUNT, type Machine, planInstall } from '../install/plan.ts';
import { EMPTY_RECORD, isEmpty, readRecord, writeRecord } from '../install/record.ts';
import { describe } from '../install/steps.ts';
import { planUndo, removedFolder } from '../install/undo.ts';
import type { Invocation } from '../invocation.ts';
import { type NewConfig, newConfig } from '../new-config.ts';
import type { NewFile } from '../new-folder.ts';
import { columns, type Output } from '../output.ts';
import { ownLogin } from '../own-login.ts';

const LOG_LINES = '10';

/** Puts the daemon under systemd, or takes it away again. Shows what it will do before it does it. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, env } = invocation;
  const place = placeOf(whose(invocation), env);
  if (args.flag('purge') && !args.flag('uninstall')) throw usageError('--purge goes with --uninstall');
  if (!args.flag('dry-run')) checkPlace(place, env);
  const machine = thisMachine(ACCOUNT);
  return args.flag('uninstall') ? uninstall(invocation, place, machine) : install(invocation, place, machine);
}

function whose({ args }: Invocation): Whose {
  if (args.flag('user') && args.flag('system')) throw usageError('--user and --system are two installations');
  if (args.flag('user')) return 'user';
  return args.flag('system') || process.getuid?.() === 0 ? 'system' : 'user';
}

async function install({ args, out, env }: Invocation, place: Place, machine: Machine): Promise<number> {
  const posture = postureOf(args.string('posture'));
  const file = join(place.configDir, 'warden.yaml');
  const isNew = machine.read(file) === null;
  if (isNew && posture === null) {
    throw usageError(
      `there is no config in ${place.configDir}, and nothing is guessed`,
      '--posture dev, test or prod has one written; or write it yourself first',
    );
  }
  const state = machine.isFolder(place.stateDir) ? null : place.stateDir;
  let record = readRecord(place.record) ?? { ...EMPTY_RECORD, state };
  const config = isNew && posture !== null ? await newConfig(posture, loginOf(env), place.whose) : null;
  try {
    const files = config?.files ?? null;
    const steps = planInstall(place, machine, record, args.flag('dry-run') ? withoutKey(files) : files);
    const whom = place.whose === 'system' ? 'for the whole machine' : 'for you';
    const lines = steps.map(describe);
    if (!isNew) lines.unshift(['stays', file, 'your config']);
    show(out, `install wardend ${whom} (systemd ${place.systemd}, node ${place.node})`, lines);
    if (args.flag('dry-run')) return notDone(out, lines);
    for (const step of steps) {
      record = await withLog(out, place, () => carryOut(step, record));
      writeRecord(place.record, record);
    }
    if (out.json) out.object({ steps: lines.map(asObject), done: true });
    else tellNext(out, place, config);
    return 0;
  } finally {
    config?.dispose();
  }
}

/** The key of a dry run is thrown away: its fingerprint would be looked for in vain. */
function withoutKey(files: readonly NewFile[] | null): readonly NewFile[] | null {
  const isPublicHalf = ({ name }: NewFile): boolean => name === 'ca_ed25519.pub';
  return (
    files?.map((file) => (isPublicHalf(file) ? { ...file, what: 'its public half, made at install' } : file)) ?? null
  );
}

async function uninstall({ args, out }: Invocation, place: Place, machine: Machine): Promise<number> {
  let record = readRecord(place.record);
  if (record === null) {
    if (out.json) out.object({ steps: [], done: true });
    else out.line(`nothing to undo: ${place.record} is not there`);
    return 0;
  }
  const { steps, folders, kept } = planUndo(place, machine, record, args.flag('purge'));
  const lines = [
    ...steps.map(({ says }) => says),
    ...folders.map((path): Line => ['remove', path, 'folder, if nothing is left in it']),
    ...kept.map(([what, why]): Line => ['stays', what, why]),
  ];
  show(out, 'uninstall wardend', lines);
  if (args.flag('dry-run')) return notDone(out, lines);
  for (const { run: undo, rest } of steps) {
    undo();
    record = rest(record);
    writeRecord(place.record, record);
  }
  record = { ...record, folders: folders.filter((path) => !removedFolder(path)) };
  if (!isEmpty(record)) writeRecord(place.record, record);
  if (out.json) out.object({ steps: lines.map(asObject), done: true });
  else out.note('done');
  return 0;
}

type Line = readonly [string, string, string];

function show(out: Output, title: string, lines: readonly Line[]): void {
  out.note(title);
  for (const line of columns(lines)) out.note(`  ${line}`);
}

function notDone(out: Output, lines: readonly Line[]): number {
  if (out.json) out.object({ steps: lines.map(asObject), done: false });
  else out.note('nothing was done: --dry-run');
  return 0;
}

function asObject([kind, what, more]: Line): object {
  return { kind, what, ...(more === '' ? {} : { more }) };
}

/** A service that does not start has said why in its log. */
async function withLog<Result>(out: Output, { whose: of }: Place, work: () => Result): Promise<Result> {
  try {
    return work();
  } catch (thrown) {
    if (asWardenError(thrown).code === 'service_failed') {
      const args = [
        ...(of === 'user' ? ['--user'] : []),
        '-u',
        'wardend.service',
        '-n',
        LOG_LINES,
        '-o',
        'cat',
        '--no-pager',
      ];
      const { stdout } = spawnSync('journalctl', args, { encoding: 'utf8' });
      for (const line of (stdout ?? '').trim().split('\n')) out.aside(`  ${line}`);
    }
    throw thrown;
  }
}

function tellNext(out: Output, { whose: of }: Place, config: NewConfig | null): void {
  out.note('done; next:');
  out.note('  warden status');
  if (config !== null) out.note(`  warden sign ${config.actor}`);
  if (of === 'system') out.note(`  usermod -aG ${ACCOUNT} USER    # for each user who may connect; a new login has it`);
  else {
    out.note('  loginctl enable-linger    # where it is to run without a login');
    out.note(
      '  systemctl --user enable --now warden-agent    # an ssh-agent with your certificates; then warden ssh-config',
    );
  }
}

function postureOf(given: string | undefined): EnvPosture | null {
  const posture = POSTURES.find((known) => known === given);
  if (given !== undefined && posture === undefined)
    throw usageError(`--posture ${quoted(given)} is none`, 'dev, test or prod');
  return posture ?? null;
}

/** Whoever typed it, not the root that sudo made of them. */
function loginOf({ SUDO_UID: uid, SUDO_USER: username }: Invocation['env']): { username: string; uid: number } {
  if (process.getuid?.() === 0 && uid !== undefined && /^\d{1,10}$/.test(uid) && username !== undefined) {
    return { username, uid: Number(uid) };
  }
  return ownLogin();
}
