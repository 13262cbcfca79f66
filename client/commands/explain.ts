import { isReasonCode, REASONS } from '../../src/kernel/reason.ts';
import { quoted, usageError } from '../args.ts';
import { ALLOW_PAGES, PAGES } from '../explain-pages.ts';
import type { Invocation } from '../invocation.ts';
import { columns } from '../output.ts';

/** The page on one reason code, or the list of all. */
export async function run({ args, out }: Invocation): Promise<number> {
  const code = args.positional(0);
  if (code === '') {
    if (out.json) out.object({ reasons: Object.entries(REASONS).map(([name, { kind }]) => ({ code: name, kind })) });
    else for (const row of columns(Object.entries(PAGES).map(([name, { means }]) => [name, means]))) out.line(row);
    return 0;
  }
  const page = isReasonCode(code) ? PAGES[code] : Object.hasOwn(ALLOW_PAGES, code) ? ALLOW_PAGES[code] : undefined;
  if (page === undefined) {
    const { nearest } = await import('../../src/config/nearest.ts');
    const near = nearest(code, Object.keys(PAGES));
    throw usageError(
      `there is no reason code ${quoted(code)}`,
      near === null
        ? 'warden explain lists them; to walk a request: warden explain sign ACTOR'
        : `did you mean ${near}?`,
    );
  }
  const kind = isReasonCode(code) ? REASONS[code].kind : 'allowed';
  if (out.json) out.object({ code, kind, means: page.means, why: page.why, do: page.mend });
  else {
    out.line({ text: code, style: 'bold' }, ` (${kind})`);
    out.line(page.means);
    out.line({ text: 'why it happens', style: 'bold' });
    for (const line of page.why) out.line(`  - ${line}`);
    out.line({ text: 'what to do', style: 'bold' });
    for (const line of page.mend) out.line(`  - ${line}`);
  }
  return 0;
}
