import type { Secret } from '../kernel/secret.ts';

/** A value that is not text comes as a Secret, since that alone carries bytes. */
export type Variable = readonly [name: string, value: string | Secret];

export interface EnvironmentParts {
  /** The caller's own. */
  readonly environment: readonly Variable[];
  /** What the caller adds for this one command. */
  readonly additions: readonly Variable[];
  readonly pristine: boolean;
  readonly held: EnvironmentHold;
  /** What routes put in. */
  readonly injected: readonly Variable[];
}

/**
 * How far the routes hold the caller's environment. `listed`: a route says which commands may run, and what would make
 * one of them run something else is kept back. `pristine`: a route leaves the caller nothing that steers a program.
 */
export type EnvironmentHold = 'open' | 'listed' | 'pristine';

/** Logins of the caller, sockets of its service manager, and what would load other code into the command. */
const KEPT_BACK = /^(?:BAO_.*|VAULT_.*|WARDEN_.*|LD_.*|NODE_OPTIONS|NOTIFY_SOCKET|LISTEN_.*|CREDENTIALS_DIRECTORY)$/s;
const PRISTINE = /^(?:PATH|HOME|USER|LOGNAME|SHELL|TERM|LANG|LC_.*|TZ)$/s;
/** What a shell or the loader reads before the command does. */
const RESERVED = /^(?:PATH|IFS|BASH_ENV|ENV|SHELLOPTS)$/;
/** What a route leaves of it that says `pristine`: nothing that names a program or a folder of programs. */
const HARMLESS = /^(?:HOME|USER|LOGNAME|TERM|LANG|LC_.*|TZ)$/s;
/** Where a command of such a route, a script of `#!/usr/bin/env` say, finds other programs. */
const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/**
 * What makes a program load or run other code than its file holds. No such list is ever whole, as sudo's is not: it stops
 * the known ways, and `pristine` of a route all of them.
 */
const STEERING = new RegExp(
  `^(?:${[
    // Shells.
    'IFS|CDPATH|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|BASH_FUNC_.*|PS4|PROMPT_COMMAND|GLOBIGNORE|ZDOTDIR|FPATH',
    // Languages.
    'PERL5?LIB|PERL5OPT|PERL5DB|PYTHON(?:PATH|HOME|STARTUP|INSPECT|USERBASE|WARNINGS|BREAKPOINT|PLATLIBDIR|PYCACHEPREFIX)',
    'RUBY(?:OPT|LIB|SHELL)|GEM_(?:HOME|PATH)|BUNDLE_.*|NODE_(?:PATH|REPL_EXTERNAL_MODULE)|[Nn][Pp][Mm]_[Cc][Oo][Nn][Ff][Ii][Gg]_.*',
    '_?JAVA_(?:TOOL_)?OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|(?:MAVEN|GRADLE|SBT)_OPTS|PHPRC|PHP_INI_SCAN_DIR|LUA_.*|TCLLIBPATH',
    'DOTNET_STARTUP_HOOKS|CORECLR_.*|ERL_.*|R_(?:HOME|PROFILE|ENVIRON|LIBS)(?:_.*)?',
    // Programs that start others.
    'GIT_(?!AUTHOR_|COMMITTER_).*|(?:SSH|SUDO|GIT)_ASKPASS|(?:RSYNC|CVS)_RSH|SVN_SSH|.*PAGER|(?:.*_)?EDITOR|VISUAL|BROWSER',
    'LESS(?:|OPEN|CLOSE|KEY.*|EDIT)|MAKEFLAGS|MFLAGS|GNUMAKEFLAGS|TAR_OPTIONS|FZF_.*|SSLKEYLOGFILE',
    // Libraries.
    'OPENSSL_(?:CONF|MODULES|ENGINES)|GCONV_PATH|LOCPATH|NLSPATH|GLIBC_TUNABLES|MALLOC_.*|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS',
    'TERMINFO|TERMINFO_DIRS|TERMCAP|TERMPATH|G(?:IO|TK)_.*MODULES?.*|QT_PLUGIN_PATH|KRB5_CONFIG',
  ].join('|')})$`,
  's',
);

/** A variable that no command gets from its caller. */
export function isKeptBack(name: string): boolean {
  return KEPT_BACK.test(name);
}

/** A variable that must not hold a secret: it would reach another program than the command, or change what runs. */
export function isReserved(name: string): boolean {
  return KEPT_BACK.test(name) || RESERVED.test(name);
}

/** Whether a variable of the caller's reaches a command whose environment is held so. */
export function mayPass(name: string, held: EnvironmentHold): boolean {
  if (KEPT_BACK.test(name)) return false;
  if (held === 'pristine') return HARMLESS.test(name);
  return held === 'open' || !STEERING.test(name);
}

/** The whole environment of a command. Nothing of the daemon's own is in it. */
export function commandEnvironment(parts: EnvironmentParts): Map<string, string | Secret> {
  const all = new Map<string, string | Secret>();
  for (const [name, value] of parts.environment) {
    // Of a name that stands twice, the first is what getenv() sees.
    if (all.has(name) || !mayPass(name, parts.held) || (parts.pristine && !PRISTINE.test(name))) continue;
    all.set(name, value);
  }
  for (const [name, value] of parts.additions) if (mayPass(name, parts.held)) all.set(name, value);
  if (parts.held === 'pristine') all.set('PATH', SYSTEM_PATH);
  for (const [name, value] of parts.injected) all.set(name, value);
  return all;
}
