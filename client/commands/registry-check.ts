import { checkRegistryFile } from '../../src/registry/check.ts';
import { MAX_REGISTRY_BYTES } from '../../src/registry/parse.ts';
import { readBounded } from '../bounded-file.ts';
import { requireConfig } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { driftInput } from '../registry-input.ts';
import { reportFindings } from '../report-findings.ts';

/** Is the file a registry, and does it say what the inventory and the routes say? */
export async function run(invocation: Invocation): Promise<number> {
  const file = invocation.args.positional(0);
  const content = readBounded(file, 'the registry', MAX_REGISTRY_BYTES).toString('utf8');
  const config = await requireConfig(invocation);
  return reportFindings(checkRegistryFile(content, driftInput(config)), invocation.out);
}
