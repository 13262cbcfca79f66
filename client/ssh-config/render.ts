import { WardenError } from '../../src/kernel/errors.ts';
import type { Host } from '../../src/rpc/generated/warden/v1/warden.ts';
import { AGENT_VARIABLE } from '../agent/paths.ts';
import { usageError } from '../args.ts';
import { clean } from '../output.ts';

export interface Places {
  readonly agentSocket: string;
  /** The file of `@cert-authority` lines. */
  readonly knownHosts: string;
  /** How `warden` is called; null leaves out the check that puts a reason on the screen. */
  readonly warden: string | null;
}

// As the inventory has them. They come over the wire all the same, and a line end or a `*` here would be another rule.
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const ADDRESS = /^[A-Za-z0-9:](?:[A-Za-z0-9._:-]{0,252}[A-Za-z0-9:])?$/;
/** What needs no thought in a quoted word of ssh_config, in Include's patterns, nor in a shell. */
const PLAIN_PATH = /^\/[A-Za-z0-9/_.,+@:-]*$/;
/** With spaces and percent signs, which a quoted word holds and doubles. */
const QUOTABLE_PATH = /^\/[A-Za-z0-9/_.,+@:% -]*$/;
const MAX_PURPOSE = 200;
/** A shell's: without the variable, `test -z` alone is true. */
const OUTSIDE = `test -z $${AGENT_VARIABLE}`;

/**
 * The file that is included: what `ssh NAME` needs for each host of the inventory, nothing for any other.
 * @throws WardenError invalid_request | internal for what ssh_config could take for something else
 */
export function renderSshConfig(hosts: readonly Host[], places: Places): string {
  const agent = quoted(places.agentSocket, "the agent's socket");
  const known = quoted(places.knownHosts, 'the file of host authorities');
  const lines = [
    '# Written by `warden ssh-config --write`, which replaces it. `warden ssh-config --uninstall` takes it away.',
  ];
  for (const host of hosts) lines.push('', ...blockOf(checked(host), known));
  const names = hosts.flatMap(namesOf).join(',');
  if (names !== '') {
    lines.push(
      '',
      '# Within `warden agent -- COMMAND` it is the agent of that command.',
      `Match originalhost ${names} exec "${OUTSIDE}"`,
      `  IdentityAgent ${agent}`,
      // Else an IdentitiesOnly of the user's would leave out what only the agent has.
      '  IdentitiesOnly no',
    );
  }
  if (places.warden !== null && names !== '') {
    const check = `${places.warden} agent --status --quiet --listen '${places.agentSocket.replaceAll('%', '%%')}'`;
    lines.push(
      '',
      '# Says on the screen why there is no certificate; ssh goes on either way.',
      `Match originalhost ${names} exec "${OUTSIDE} && ${check}"`,
    );
  }
  // An Include goes on in the block that it ends in: what follows it must be for all hosts again.
  return `${[...lines, '', 'Match all'].join('\n')}\n`;
}

/** The path of `warden` as a shell and ssh_config take it; null where neither would take it as it is. */
export function callable(path: string): string | null {
  return PLAIN_PATH.test(path) ? path : null;
}

/** The path as an argument of Include. @throws WardenError invalid_request */
export function includable(path: string): string {
  if (PLAIN_PATH.test(path)) return path;
  throw usageError(
    `ssh_config cannot include ${JSON.stringify(path)}`,
    'write it out and include it as you like: warden ssh-config > FILE',
  );
}

function blockOf({ name, addresses, purpose, principals }: Host, known: string): string[] {
  const [first] = addresses;
  const [alias] = principals;
  return [
    ...(purpose === '' ? [] : [`# ${name}: ${clean(purpose).slice(0, MAX_PURPOSE)}`]),
    // The name alone leads to the first address; another address that is typed stays what it is.
    ...(first === undefined ? [] : [`Host ${name}`, `  HostName ${first}`]),
    // The certificate vouches for this name, whichever address the host is reached at.
    ...(alias === undefined
      ? []
      : [
          `Host ${namesOf({ name, addresses }).join(' ')}`,
          `  HostKeyAlias ${alias}`,
          `  UserKnownHostsFile ~/.ssh/known_hosts ${known}`,
        ]),
  ];
}

function namesOf({ name, addresses }: Pick<Host, 'name' | 'addresses'>): string[] {
  return [...new Set([name, ...addresses])];
}

function checked(host: Host): Host {
  const wrong =
    !NAME.test(host.name) ||
    host.addresses.some((address) => !ADDRESS.test(address)) ||
    host.principals.some((principal) => !ADDRESS.test(principal));
  if (!wrong) return host;
  throw new WardenError('internal', 'the daemon names a host that ssh_config would read as something else', {
    hint: 'see hosts: in inventory.yaml, and whose socket it is that was asked',
  });
}

function quoted(path: string, what: string): string {
  if (!QUOTABLE_PATH.test(path)) {
    throw usageError(`${what} has a path that ssh_config cannot hold: ${JSON.stringify(path)}`, 'choose a plain path');
  }
  return `"${path.replaceAll('%', '%%')}"`;
}
