import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { effectiveUid } from '../../src/unix/effective-uid.ts';
import { agentPlace } from '../agent/paths.ts';
import { usageError } from '../args.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { knownHostLines, vouchedNames } from '../known-host-lines.ts';
import { home } from '../paths.ts';
import { ensureSshFolder, putOwn, readOwn } from '../ssh-config/files.ts';
import { withInclude, withoutInclude } from '../ssh-config/include-block.ts';
import { callable, includable, renderSshConfig } from '../ssh-config/render.ts';

interface Files {
  readonly folder: string;
  readonly config: string;
  readonly included: string;
  readonly knownHosts: string;
}

/** Shows, writes or takes away what makes `ssh HOST` work by itself for the hosts of the inventory. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out, env } = invocation;
  const folder = join(home(env), '.ssh');
  const files: Files = {
    folder,
    config: join(folder, 'config'),
    included: join(folder, 'warden_config'),
    knownHosts: join(folder, 'warden_known_hosts'),
  };
  const write = args.flag('write');
  if (write && args.flag('uninstall')) throw usageError('--write and --uninstall exclude each other');
  if (args.flag('uninstall')) return report(invocation, uninstall(files));

  const { fullName, methods } = WardenDefinition;
  const [{ hosts }, { authorities }] = await withDaemon(invocation, async (channel) => [
    await channel.unary(fullName, methods.listHosts, {}),
    await channel.unary(fullName, methods.getAuthorities, {}),
  ]);
  const warden = callable(ownPath(env));
  const agentSocket = agentPlace(env, args.string('listen')).path;
  const text = renderSshConfig(hosts, { agentSocket, knownHosts: files.knownHosts, warden });
  const known = knownHostLines(vouchedNames(hosts), authorities);
  if (hosts.length === 0) out.error('the inventory has no hosts that you may see: hosts: in inventory.yaml lists them');
  if (warden === null)
    out.error('the path of warden is not plain: left out is the check that says why there is no certificate');
  if (write) return report(invocation, install(files, text, known));
  if (out.json) {
    out.object({
      config: files.config,
      included: files.included,
      text,
      known_hosts: files.knownHosts,
      known_host_lines: known,
    });
  } else {
    out.raw(text);
    if (!out.quiet)
      out.error(`nothing is written: --write puts this into ${files.included}, and its Include into ${files.config}`);
  }
  return 0;
}

/** The Include last: until it is there, nothing has changed for ssh. Returns what was changed. */
function install(files: Files, text: string, known: readonly string[]): string[] {
  const uid = effectiveUid();
  const included = includable(files.included);
  ensureSshFolder(files.folder, uid);
  const config = readOwn(files.config, uid);
  const wanted = withInclude(config.text, included);
  const knownText = known.map((line) => `${line}\n`).join('');
  return changed([
    [files.knownHosts, putOwn(readOwn(files.knownHosts, uid), latin1(knownText))],
    [files.included, putOwn(readOwn(files.included, uid), latin1(text))],
    [files.config, putOwn(config, wanted)],
  ]);
}

/** The Include first. */
function uninstall(files: Files): string[] {
  const uid = effectiveUid();
  const config = readOwn(files.config, uid);
  return changed([
    [files.config, putOwn(config, withoutInclude(config.text))],
    [files.included, putOwn(readOwn(files.included, uid), null)],
    [files.knownHosts, putOwn(readOwn(files.knownHosts, uid), null)],
  ]);
}

function changed(results: readonly (readonly [string, boolean])[]): string[] {
  return results.filter(([, done]) => done).map(([path]) => path);
}

function report({ args, out }: Invocation, paths: readonly string[]): number {
  const verb = args.flag('write') ? 'wrote' : 'took away what was in';
  if (out.json) out.object({ changed: paths });
  else if (paths.length === 0) out.note('nothing to do');
  else for (const path of paths) out.note(`${verb} ${path}`);
  return 0;
}

/** How this program was called: the name on PATH where there is one, which outlives upgrades. */
function ownPath(env: Invocation['env']): string {
  const called = process.argv[1] ?? '';
  const onPath = (env.PATH ?? '').split(':').map((folder) => join(folder, 'warden'));
  return onPath.find((path) => real(path) === real(called)) ?? called;
}

function real(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** Texts go through the file functions as bytes. */
function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
