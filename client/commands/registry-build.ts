import { buildRegistry, formatRegistry } from '../../src/registry/snapshot.ts';
import { writeAtomically } from '../atomic-file.ts';
import { requireConfig } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { registryInput } from '../registry-input.ts';

/** The registry snapshot of the inventory, byte-stable. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const registry = buildRegistry(registryInput(await requireConfig(invocation)));
  const text = formatRegistry(registry);
  const target = args.string('out') ?? '-';
  if (target === '-') out.raw(text);
  else {
    writeAtomically({ path: target, bytes: text, mode: 0o644, replace: true, durable: true });
    const { resources, subjects } = registry;
    if (out.json) out.object({ file: target, resources: resources.length, subjects: subjects.length });
    else out.note(`${target}: ${resources.length} actors, ${subjects.length} subjects; now give it to flex-auth`);
  }
  return 0;
}
