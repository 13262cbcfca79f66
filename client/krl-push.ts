import { spawn } from 'node:child_process';
import { isAbsolute } from 'node:path';
import type { Channel } from '../src/rpc/client/channel.ts';
import { type Host, WardenDefinition } from '../src/rpc/generated/warden/v1/warden.ts';
import { type Args, quoted, usageError } from './args.ts';
import { columns, counted, type Output } from './output.ts';

const AT_ONCE = 8;
/** ssh gives up connecting after 10 s; a host that hangs later is given up here. */
const DEADLINE_MS = 60_000;
/** After this no further address of a host is tried. */
const HOST_DEADLINE_MS = 120_000;
/** ssh's own code; any other is that of what ran over there. */
const SSH_DID_NOT_GET_IN = 255;
const MAX_STDERR = 64 * 1024;

export interface PushPlan {
  readonly hosts: readonly string[];
  readonly path: string;
  readonly user: string | null;
  readonly sudo: boolean;
  readonly sshOptions: readonly string[];
}

export interface Pushed {
  readonly host: string;
  readonly address: string;
  readonly ok: boolean;
  /** Why not; "" where it worked. */
  readonly why: string;
}

/** What the options ask for; null where nothing is to be pushed. @throws WardenError invalid_request */
export function readPush(args: Args): PushPlan | null {
  if (!args.flag('push')) {
    const given = ['host', 'to', 'login', 'sudo', 'ssh-option'].find((name) => args.strings(name).length > 0);
    if (given !== undefined) throw usageError(`--${given} goes with --push`);
    return null;
  }
  const path = args.string('to') ?? '/etc/ssh/warden.krl';
  if (!isAbsolute(path) || /[^\x20-\x7e]/.test(path)) {
    throw usageError(`--to ${quoted(path)} is no absolute path`, 'name the file of RevokedKeys in sshd_config');
  }
  const user = args.string('login') ?? null;
  if (user !== null && !/^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/.test(user))
    throw usageError(`--login ${quoted(user)} is no user`);
  const hosts = args.strings('host');
  return { hosts, path, user, sudo: args.flag('sudo'), sshOptions: args.strings('ssh-option') };
}

/** Brings the list in force onto each host; a host that fails keeps what it has. Never throws for a host. */
export async function push(channel: Channel, plan: PushPlan): Promise<Pushed[]> {
  const { fullName, methods } = WardenDefinition;
  const { hosts } = await channel.unary(fullName, methods.listHosts, {});
  const { list } = await channel.unary(fullName, methods.getRevocationList, {});
  const unknown = plan.hosts.find((name) => !hosts.some((host) => host.name === name));
  if (unknown !== undefined) {
    throw usageError(
      `the inventory has no host ${quoted(unknown)}`,
      `it has ${hosts.map(({ name }) => name).join(', ') || 'none'}`,
    );
  }
  const chosen = hosts.filter(({ name }) => plan.hosts.length === 0 || plan.hosts.includes(name));
  const done: Pushed[] = [];
  const waiting = [...chosen.entries()];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, host] = next;
      done[index] = await pushTo(host, Buffer.from(list), plan);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return done;
}

/** A line for each host. 0 where every one has it, else 4. */
export function reportPush(pushed: readonly Pushed[], plan: PushPlan, out: Output): number {
  const failed = pushed.filter(({ ok }) => !ok).length;
  const rows = pushed.map(({ host, address, ok, why }) => [
    host,
    address,
    ok ? `has it at ${plan.path}` : `FAILED: ${why}`,
  ]);
  if (!out.json) {
    for (const row of columns(rows)) out.line(`  ${row}`);
    if (pushed.length === 0) out.line('  the inventory has no hosts');
    if (failed > 0) {
      const others = failed < pushed.length ? '; the others have it' : '';
      out.error(`${failed} of ${counted(pushed.length, 'host')} without the list${others}`);
    }
  }
  return failed === 0 ? 0 : 4;
}

export function pushJson(pushed: readonly Pushed[]): unknown {
  return pushed.map(({ host, address, ok, why }) => ({ host, address, ok, why: why || undefined }));
}

/** Whole or not at all: the bytes are counted before they take the place of what is there. */
export function writingScript(path: string, bytes: number, sudo: boolean): string {
  const target = forShell(path);
  const script = [
    'set -e',
    'umask 022',
    `t=${target}.$$.new`,
    `trap 'rm -f "$t"' EXIT`,
    'cat > "$t"',
    `[ "$(wc -c < "$t")" -eq ${bytes} ]`,
    `mv -f "$t" ${target}`,
  ].join('; ');
  return sudo ? `exec sudo -n sh -c ${forShell(script)}` : script;
}

/**
 * By the first of the host's addresses that ssh gets in by; each is tried twice. What the host itself says no to is not
 * asked of it again by another way.
 */
async function pushTo({ name, addresses }: Host, list: Buffer, plan: PushPlan): Promise<Pushed> {
  const ways = addresses.length === 0 ? [name] : addresses;
  const inVain: string[] = [];
  const until = performance.now() + HOST_DEADLINE_MS;
  for (const address of ways) {
    if (performance.now() > until) {
      inVain.push(`${address}: not tried, there was no time left`);
      continue;
    }
    const { reached, why } = await pushBy(address, list, plan);
    if (reached) return { host: name, address, ok: why === '', why };
    inVain.push(ways.length === 1 ? why : `${address}: ${why}`);
  }
  return { host: name, address: ways.join(', '), ok: false, why: inVain.join('; ') };
}

function pushBy(address: string, list: Buffer, plan: PushPlan): Promise<SshEnd> {
  const args = [
    '-oBatchMode=yes',
    '-oConnectTimeout=10',
    '-oForwardAgent=no',
    '-oClearAllForwardings=yes',
    '-T',
    ...plan.sshOptions.map((option) => `-o${option}`),
    '-oConnectionAttempts=2',
    ...(plan.user === null ? [] : ['-l', plan.user]),
    '--',
    address,
    writingScript(plan.path, list.length, plan.sudo),
  ];
  return runSsh(args, list);
}

interface SshEnd {
  /** False where ssh did not get in. */
  readonly reached: boolean;
  /** "" where the far end says that all went well, else its last words or those of ssh. */
  readonly why: string;
}

function runSsh(args: readonly string[], stdin: Buffer): Promise<SshEnd> {
  return new Promise((resolve) => {
    const child = spawn('ssh', args, {
      stdio: ['pipe', 'ignore', 'pipe'],
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < MAX_STDERR) said += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      resolve({
        reached: false,
        why: error.code === 'ENOENT' ? 'there is no ssh on this machine' : `ssh cannot be started: ${error.code}`,
      }),
    );
    child.on('close', (code, signal) => {
      if (code === 0) return resolve({ reached: true, why: '' });
      const last = said.trim().split('\n').at(-1)?.trim() ?? '';
      const why = signal === null ? last || `it ended with ${code}` : 'it did not answer within a minute';
      resolve({ reached: code !== SSH_DID_NOT_GET_IN && signal === null, why });
    });
    // A host that closes early is reported by ssh itself.
    child.stdin.on('error', () => {});
    child.stdin.end(stdin);
  });
}

function forShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
