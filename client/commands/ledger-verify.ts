import type { Finding } from '../../src/ledger/chain-check.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import type { Invocation } from '../invocation.ts';
import { anchorFile, ledgerFolder, unreadable } from '../ledger-offline.ts';

/** 0 whole, 1 broken, 2 unusable. */
export async function run(invocation: Invocation): Promise<number> {
  const { out } = invocation;
  const dir = await ledgerFolder(invocation);
  const { conforms, records, firstSeq, lastSeq, findings, notes, more } = await verifyLedger(
    dir,
    anchorFile(invocation, dir),
  ).catch((error: unknown) => {
    throw unreadable(dir, error);
  });
  if (out.json) {
    out.object({ conforms, folder: dir, records, first_seq: firstSeq, last_seq: lastSeq, findings, notes, more });
  } else {
    for (const finding of findings) out.line({ text: 'broken: ', style: 'red' }, describe(finding));
    if (more > 0) out.line({ text: 'broken: ', style: 'red' }, `${more} more places`);
    for (const note of notes) out.note(`note: ${describe(note)}`);
    const range = firstSeq === null ? 'no records' : `${records} records, ${firstSeq} to ${lastSeq}`;
    if (conforms) out.note({ text: 'whole', style: 'green' }, `: ${range}, chain and signatures hold`);
    else out.note(`${dir}: ${range}`);
  }
  return conforms ? 0 : 1;
}

function describe({ file, line, what }: Finding): string {
  return `${file}${line === null ? '' : `:${line}`}: ${what}`;
}
