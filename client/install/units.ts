/** What the units are fitted to. */
export interface UnitFacts {
  /** Major version of the systemd that runs here. */
  readonly systemd: number;
  /** Absolute paths. */
  readonly node: string;
  readonly package: string;
}

/** Since then there is Type=notify-reload, a reload that systemd waits for. */
const NOTIFY_RELOAD_SINCE = 253;
/** What the shipped units say, for packagers who put the programs there. */
const SHIPPED_DAEMON = /^ExecStart=\/usr\/bin\/(wardend|wardend-spawner)$/gm;
const SHIPPED_CLIENT = /^ExecStart=\/usr\/bin\/env warden /gm;
const SHIPPED_PACKAGE = '/usr/lib/node_modules/wardend';

/** A shipped unit file with the paths of this machine and what its systemd understands. Pure. */
export function fitUnit(text: string, facts: UnitFacts): string {
  const program = (name: string): string =>
    `ExecStart=${argument(facts.node)} ${argument(`${facts.package}/dist/${name}`)}`;
  const fitted = text
    .replace(SHIPPED_DAEMON, (_line, name: string) => program(`${name}.mjs`))
    .replace(SHIPPED_CLIENT, () => `${program('warden.cjs')} `)
    .replaceAll(`file://${SHIPPED_PACKAGE}`, () => `file://${encodeURI(facts.package).replaceAll('%', '%%')}`);
  if (facts.systemd >= NOTIFY_RELOAD_SINCE) return fitted;
  return fitted.replace(/^Type=notify-reload$/gm, () => 'Type=notify\nExecReload=/bin/kill -HUP $MAINPID');
}

/** One word of a command line in a unit file: specifiers and variables are not to be found in it. */
function argument(path: string): string {
  const plain = path.replaceAll('%', '%%').replaceAll('$', () => '$$');
  return /^[\w./%$@:+,-]+$/.test(plain) ? plain : `"${plain.replace(/[\\"]/g, '\\$&')}"`;
}
