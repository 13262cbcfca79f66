import manifest from '../../package.json' with { type: 'json' };
import type { Invocation } from '../invocation.ts';

export async function run({ out }: Invocation): Promise<number> {
  if (out.json) out.object({ version: manifest.version, node: process.versions.node });
  else out.line(`warden ${manifest.version}`);
  return 0;
}
