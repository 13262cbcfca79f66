import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { writeAtomically } from '../atomic-file.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';

/** OpenSSH reads lines of any length; other readers, and people, do not. */
const MAX_PATTERNS = 4_000;

/** `@cert-authority` lines: who vouches for which hosts. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const [{ hosts }, { authorities, posture }] = await withDaemon(invocation, async (channel) => [
    await channel.unary(fullName, methods.listHosts, {}),
    await channel.unary(fullName, methods.getAuthorities, {}),
  ]);
  const names = [...new Set(hosts.flatMap(({ principals }) => principals))].sort();
  const lines = authorities.flatMap(({ publicKey, state }) =>
    inLines(names).map((patterns) => `@cert-authority ${patterns} ${publicKey} (${state})`),
  );
  const target = args.string('output');
  if (target !== undefined && target !== '-') {
    const bytes = lines.map((line) => `${line}\n`).join('');
    writeAtomically({ path: target, bytes, mode: 0o644, replace: true, durable: false });
  }
  if (out.json) out.object({ posture, names, lines, file: target });
  else if (target !== undefined && target !== '-') {
    out.line(`${target}: ${names.length} names, ${authorities.length} authorities`);
    out.note(`  in ~/.ssh/config: UserKnownHostsFile ${target} ~/.ssh/known_hosts`);
  } else {
    if (names.length === 0)
      out.error('no host of the inventory has a certificate: see host_certificate in inventory.yaml');
    for (const line of lines) out.line(line);
  }
  return 0;
}

function inLines(names: readonly string[]): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + name.length < MAX_PATTERNS) lines[lines.length - 1] = `${last},${name}`;
    else lines.push(name);
  }
  return lines;
}
