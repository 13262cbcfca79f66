import { resolve } from 'node:path';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { writeAtomically } from '../atomic-file.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { knownHostLines, vouchedNames } from '../known-host-lines.ts';
import { counted } from '../output.ts';

/** `@cert-authority` lines: who vouches for which hosts. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const { fullName, methods } = WardenDefinition;
  const [{ hosts }, { authorities, posture }] = await withDaemon(invocation, async (channel) => [
    await channel.unary(fullName, methods.listHosts, {}),
    await channel.unary(fullName, methods.getAuthorities, {}),
  ]);
  const names = vouchedNames(hosts);
  const lines = knownHostLines(names, authorities);
  const target = args.string('output');
  if (target !== undefined && target !== '-') {
    const bytes = lines.map((line) => `${line}\n`).join('');
    writeAtomically({ path: target, bytes, mode: 0o644, replace: true, durable: false });
  }
  if (out.json) out.object({ posture, names, lines, file: target });
  else if (target !== undefined && target !== '-') {
    out.line(`${target}: ${counted(names.length, 'name')}, ${counted(authorities.length, 'authority', 'authorities')}`);
    out.note(`  in ~/.ssh/config: UserKnownHostsFile ${resolve(target)} ~/.ssh/known_hosts`);
  } else {
    if (names.length === 0)
      out.error('no host of the inventory has a certificate: see host_certificate in inventory.yaml');
    for (const line of lines) out.line(line);
  }
  return 0;
}
