import { afterEach, describe, expect, it } from 'vitest';
import { checkPurpose } from '../../src/operations/check-purpose.ts';
import { WardenDefinition } from '../../src/rpc/generated/warden/v1/warden.ts';
import { Client, houseOf, KEY } from '../e2e/support.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

let daemon: RunningDaemon | undefined;

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  daemon?.house.remove();
});

describe('an explanation', () => {
  it.each([
    ['an administrator the address of the decision point', '', 'would ask http://127.0.0.1:1; --ask asks for real'],
    ['others nothing of it', 'admins: [{ uid: 4242 }]\n', 'would ask the decision point; --ask asks for real'],
  ])('tells %s', async (_what, admins, expected) => {
    const policy = 'policy: { enabled: true, flex_auth_url: "http://127.0.0.1:1" }\n';
    daemon = await startDaemon({ house: houseOf('test', policy + admins) });
    const client = await Client.open(daemon.socket);
    const request = WardenDefinition.methods.explain.requestType.fromPartial({
      sign: { actor: 'agt-test', publicKey: KEY },
    });
    const { steps, verdict } = await client.call(WardenDefinition.methods.explain, request);
    client.close();
    expect(verdict).toBe('would_ask');
    expect(steps.find(({ name }) => name === 'policy')?.was).toBe(expected);
  });
});

describe('a key pair made by the client', () => {
  it.each(['local', 'synthetic', 'openbao'] as const)('is signed as an issue by %s but for OpenBao', (backend) => {
    const check = (): void => checkPurpose('issue', { backend });
    if (backend === 'openbao') expect(check).toThrow(expect.objectContaining({ code: 'issue_unsupported' }));
    else expect(check).not.toThrow();
    expect(() => checkPurpose('sign', { backend })).not.toThrow();
  });
});
