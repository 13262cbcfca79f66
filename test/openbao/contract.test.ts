import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOpenBaoDouble } from '../../src/doubles/openbao-http.ts';
import { generateKeyPair } from '../../src/ssh/generate-key.ts';
import { type Api, type ApiAnswer, apiOf, devServer, type RealServer } from '../support/openbao.ts';
import { ask, type CaseContext, CONTRACT, type ContractCase, SEALED, shapeOf } from './contract-cases.ts';

let real: RealServer;
let double: Api;
let closeDouble: () => Promise<void>;
const contexts = new Map<Api, CaseContext>();

beforeAll(async () => {
  real = await devServer();
  const stand = createOpenBaoDouble();
  const { address, close } = await stand.listen();
  double = apiOf(address, stand.state.rootToken);
  closeDouble = close;
  const { publicKey } = await generateKeyPair('ed25519', 'test');
  const line = `${publicKey.algorithm} ${publicKey.blob.toString('base64')}`;
  for (const api of [real, double]) contexts.set(api, { publicKey: line, vars: new Map() });
});
afterAll(async () => {
  await closeDouble();
  await real.stop();
});

async function run(api: Api, one: ContractCase): Promise<ApiAnswer> {
  const context = contexts.get(api);
  if (context === undefined) throw new Error('no context');
  const answer = await ask(api, one, context);
  one.keep?.(answer, context);
  return answer;
}

describe('the contract of OpenBao, by the real one and by the double', () => {
  test.each([...CONTRACT, ...SEALED].map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const [fromReal, fromDouble] = [await run(real, one), await run(double, one)];
    expect(fromReal.status, JSON.stringify(fromReal.body)).toBe(one.status);
    expect(fromDouble.status, JSON.stringify(fromDouble.body)).toBe(one.status);
    for (const { body } of [fromReal, fromDouble]) {
      if (one.errors === undefined) continue;
      const { errors } = body as { errors: string[] };
      expect(errors).toEqual(one.errors.map((text) => (typeof text === 'string' ? text : expect.stringMatching(text))));
    }
    expect(shapeOf(fromDouble.body)).toEqual(shapeOf(fromReal.body));
    expect(fromDouble.type).toBe(fromReal.type);
  });
});
