import { buildRegistry, formatRegistry } from '../../src/registry/snapshot.ts';
import { writeAtomically } from '../atomic-file.ts';
import { requireConfig } from '../config-offline.ts';
import type { Invocation } from '../invocation.ts';
import { registryInput } from '../registry-input.ts';

/** The registry snapshot of the inventory, with `--routes` of the routes too; byte-stable. */
export async function run(invocation: Invocation): Promise<number> {
  const { args, out } = invocation;
  const config = await requireConfig(invocation);
  const routes = args.flag('routes') ? [...config.routes.values()] : [];
  const registry = buildRegistry({ ...registryInput(config), routes });
  const text = formatRegistry(registry);
  const target = args.string('out') ?? '-';
  if (target === '-') out.raw(text);
  else {
    writeAtomically({ path: target, bytes: text, mode: 0o644, replace: true, durable: true });
    const { resources, subjects } = registry;
    if (out.json) out.object({ file: target, resources: resources.length, subjects: subjects.length });
    else {
      const counted = `${resources.length - routes.length} actors, ${subjects.length} subjects`;
      const also = routes.length === 0 ? '' : `, ${routes.length} routes`;
      out.note(`${target}: ${counted}${also}; now give it to flex-auth`);
    }
  }
  return 0;
}
