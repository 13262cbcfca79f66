import { withDaemon } from '../connect.ts';
import { readExecStart } from '../exec/request.ts';
import { codeOf, runSession } from '../exec/session.ts';
import type { Invocation } from '../invocation.ts';
import { reportError, toShown } from '../report-error.ts';

/** Before a start: refused or failed, not executable, not found. */
const NOT_STARTED = 125;
const CODES: Readonly<Record<string, number>> = { command_not_executable: 126, command_not_found: 127 };

/** A command with secrets on this program's own streams; its exit code is ours. */
export function run(invocation: Invocation): Promise<number> {
  const { args } = invocation;
  return runWith(invocation, args.strings('route'), args.positionals(0));
}

/** With these routes, this command line. */
export async function runWith(
  invocation: Invocation,
  routes: readonly string[],
  argv: readonly string[],
): Promise<number> {
  const { out } = invocation;
  try {
    const start = readExecStart(invocation, routes, argv);
    const { ended } = await withDaemon(invocation, (channel) =>
      runSession(channel, start, ({ unmasked }) => {
        for (const route of unmasked) {
          out.aside({ text: 'warden:', style: 'bold' }, ` a value of ${route} is too short to be masked`);
        }
      }),
    );
    if (ended.reason !== '') {
      const ledger = ended.ledgerSeq > 0n ? ` · ledger ${ended.ledgerSeq}` : '';
      out.error({ text: 'warden:', style: 'bold' }, ` ended: ${ended.message}`);
      out.error(`  why: ${ended.reason}${ledger}`);
    }
    return codeOf(ended);
  } catch (error) {
    const { reason } = toShown(error);
    reportError(error, out);
    return CODES[reason] ?? NOT_STARTED;
  }
}
