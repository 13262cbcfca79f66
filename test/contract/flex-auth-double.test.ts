import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { startFlexAuthDouble } from '../../src/doubles/flex-auth-server.ts';
import { createFlexAuth } from '../../src/policy/flex-auth.ts';
import { formatRegistry } from '../../src/registry/snapshot.ts';
import { examples } from '../registry/read-inventory.ts';
import { decisionPointContract } from './decision-point.contract.ts';
import { clientFor } from './http-settings.ts';
import { caseSets } from './questions.ts';

it('a client that accepts no double refuses its health and its decisions', async () => {
  const [set] = caseSets();
  const [one] = set?.cases ?? [];
  if (one === undefined) throw new Error('no case');
  const registryFile = fileURLToPath(new URL('flex-auth/registry_snapshot.json', examples));
  const double = await startFlexAuthDouble({ addr: '127.0.0.1:0', registryFile });
  const decisionPoint = createFlexAuth(clientFor(double.address, false));
  try {
    await expect(decisionPoint.ready()).rejects.toMatchObject({ name: 'PolicyFault', kind: 'untrusted' });
    const asked = decisionPoint.decide(one.question, { requestId: 'r' });
    await expect(asked).rejects.toMatchObject({ name: 'PolicyFault', kind: 'untrusted' });
  } finally {
    await decisionPoint.close();
    await double.close();
  }
});

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
