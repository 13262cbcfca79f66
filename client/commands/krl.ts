import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { usageError } from '../args.ts';
import { writeAtomically } from '../atomic-file.ts';
import { withDaemon } from '../connect.ts';
import type { Invocation } from '../invocation.ts';
import { push, pushJson, readPush, reportPush } from '../krl-push.ts';
import { counted } from '../output.ts';

/** The key revocation list in force, as sshd reads it. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const target = args.string('output');
  const plan = readPush(args);
  if (plan !== null) {
    if (target !== undefined) throw usageError('--push and --output are two commands', 'one after the other');
    const pushed = await withDaemon(invocation, (channel) => push(channel, plan));
    if (out.json) out.object({ hosts: pushJson(pushed) });
    return reportPush(pushed, plan, out);
  }
  if (target === undefined && !out.json && out.terminal) {
    throw usageError(
      'the list is binary, and stdout is a terminal',
      'name a file with -o FILE; ssh-keygen -Q -l -f FILE shows what it holds',
    );
  }
  const { fullName, methods } = WardenDefinition;
  const answer = await withDaemon(invocation, (channel) => channel.unary(fullName, methods.getRevocationList, {}));
  const { list, number, generatedAt, path, certificates } = answer;
  const file = target === undefined || target === '-' ? null : target;
  if (file !== null)
    writeAtomically({ path: file, bytes: Buffer.from(list), mode: 0o644, replace: true, durable: true });
  if (out.json) {
    out.object({
      number,
      generated_at: generatedAt?.toISOString(),
      certificates,
      file: file ?? undefined,
      path: path || undefined,
      list: file === null ? Buffer.from(list).toString('base64') : undefined,
    });
  } else if (file === null) out.raw(list);
  else out.line(`${file}: list ${number}, ${counted(certificates, 'certificate')} revoked one by one`);
  return 0;
}
