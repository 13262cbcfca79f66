import { createAuthzen } from '../../src/policy/authzen.ts';
import { startCerbos } from './cerbos-server.ts';
import { decisionPointContract } from './decision-point.contract.ts';
import { clientFor } from './http-settings.ts';

decisionPointContract({
  name: 'the Cerbos server over AuthZEN',
  // Cerbos gives its word only to a request that asks for it in a way of its own: see cerbos-reasons.test.ts.
  givesReason: false,
  idSource: 'pep',
  async start(registry) {
    const server = await startCerbos(registry);
    const decisionPoint = createAuthzen(clientFor(server.url, false), { healthPath: null });
    return {
      decisionPoint,
      async close() {
        await decisionPoint.close();
        await server.close();
      },
    };
  },
});
