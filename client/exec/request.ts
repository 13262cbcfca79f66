import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { EnvironmentVariable, ExecStart, TerminalSize } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { readBounded } from '../bounded-file.ts';
import type { Invocation } from '../invocation.ts';
import { ambientToken } from '../openbao-token.ts';
import { readIdToken } from '../sign-request.ts';
import { type EnvFile, EnvFileError, envFileText, parseEnvFile } from './env-file.ts';
import { checkStartSize } from './start-size.ts';
import { isNull } from './stdio.ts';

const MAX_ENV_FILE_BYTES = 256 * 1024;
/** What the command would get with --pristine; the daemon has the last word. */
const PRISTINE = /^(?:PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LC_.*|TZ)$/;
/** Logins of the user's own: the daemon would take them out, and need not see them. */
const OWN = /^(?:BAO|VAULT|WARDEN)_/;

/** What the options, the words after `--` and the environment ask for. @throws WardenError invalid_request */
export function readExecStart(invocation: Invocation, routes: readonly string[], argv: readonly string[]): ExecStart {
  const { args, env } = invocation;
  const file = args.string('env-file');
  const { references, plain } = file === undefined ? { references: [], plain: [] } : readEnvFile(file);
  if (routes.length === 0 && references.length === 0) {
    throw usageError(
      'no route is named',
      'warden access lists them: --route ROUTE, or NAME=warden://ROUTE in --env-file',
    );
  }
  const wantsStdin = !args.flag('no-stdin') && file !== '-' && args.string('id-token-file') !== '-';
  const terminal = wantsStdin && isatty(0) && isatty(1) ? terminalSize() : undefined;
  const pristine = args.flag('pristine');
  const environment = sentEnvironment(env, pristine);
  const additions = plain.map(([name, value]) => ({ name: Buffer.from(name), value: Buffer.from(value) }));
  checkStartSize({ argv, environment, additions, references });
  return {
    routes: [...routes],
    references: [...references],
    actor: args.string('actor') ?? '',
    argv: [...argv],
    environment,
    additions,
    pristine,
    noMask: args.flag('no-mask'),
    noNetwork: args.flag('no-network'),
    terminal,
    jobControl: terminal !== undefined,
    stdin: wantsStdin && !isNull(0),
    openbaoToken: ambientToken(env),
    subject: env.WARDEN_POLICY_SUBJECT ?? '',
    idToken: readIdToken(invocation),
    reason: args.string('reason') ?? '',
    ticket: args.string('ticket') ?? '',
  };
}

export function terminalSize(): TerminalSize {
  const { columns, rows } = process.stdout;
  // A terminal that does not say is given what a terminal has always had.
  return { columns: columns || 80, rows: rows || 24 };
}

function readEnvFile(path: string): EnvFile {
  try {
    return parseEnvFile(envFileText(readBounded(path, 'the env file', MAX_ENV_FILE_BYTES)));
  } catch (error) {
    if (!(error instanceof EnvFileError)) throw error;
    throw usageError(`${path}:${error.line}: ${error.message}`, 'docs/exec.md has the grammar');
  }
}

/** What of the client's own the daemon needs to see. */
export function sentEnvironment(env: Invocation['env'], pristine: boolean): EnvironmentVariable[] {
  return ownEnvironment(env).filter(({ name }) => !pristine || PRISTINE.test(name.toString('latin1')));
}

/** As the kernel has it, since a value need not be text. */
export function ownEnvironment(env: Invocation['env']): EnvironmentVariable[] {
  return pairsOf(env).filter(({ name }) => !OWN.test(name.toString('latin1')));
}

function pairsOf(env: Invocation['env']): EnvironmentVariable[] {
  let raw: Buffer;
  try {
    raw = readFileSync('/proc/self/environ');
  } catch {
    return Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [{ name: Buffer.from(name), value: Buffer.from(value) }],
    );
  }
  const pairs: EnvironmentVariable[] = [];
  for (let at = 0; at < raw.length; ) {
    const nul = raw.indexOf(0, at);
    const end = nul === -1 ? raw.length : nul;
    const equals = raw.indexOf(0x3d, at);
    if (equals > at && equals < end)
      pairs.push({ name: raw.subarray(at, equals), value: raw.subarray(equals + 1, end) });
    at = end + 1;
  }
  return pairs;
}
