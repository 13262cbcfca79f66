import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFlexAuthDouble } from '../../src/doubles/flex-auth-server.ts';
import { createFlexAuth } from '../../src/policy/flex-auth.ts';
import { formatRegistry } from '../../src/registry/snapshot.ts';
import { decisionPointContract } from './decision-point.contract.ts';
import { clientFor } from './http-settings.ts';

decisionPointContract({
  name: 'the flex-auth double over HTTP',
  givesReason: true,
  idSource: 'pdp',
  async start(registry) {
    const folder = await mkdtemp(join(tmpdir(), 'flex-auth-'));
    const registryFile = join(folder, 'registry.json');
    await writeFile(registryFile, formatRegistry(registry));
    const double = await startFlexAuthDouble({ addr: '127.0.0.1:0', registryFile });
    const decisionPoint = createFlexAuth(clientFor(double.address));
    return {
      decisionPoint,
      async close() {
        await decisionPoint.close();
        await double.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
});
