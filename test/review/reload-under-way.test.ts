import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Tenancy } from '../../daemon/tenancy.ts';
import { type Answered, DecisionPointServer } from '../e2e/decision-point.ts';
import { Client, houseOf } from '../e2e/support.ts';
import { type House, type RunningDaemon, startDaemon, writeConfig } from '../support/daemon.ts';

let house: House | undefined;
let daemon: RunningDaemon | undefined;
let agent: ChildProcess | undefined;

afterEach(async () => {
  await daemon?.stop('SIGKILL');
  agent?.kill('SIGKILL');
  house?.remove();
});

/** An ssh-agent that holds the CA key of the house; resolves to the key's fingerprint and the agent's socket. */
async function holdKey(at: House): Promise<{ fingerprint: string; socket: string }> {
  const socket = join(at.folder, 'agent.sock');
  agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  // It names its socket once it listens.
  if (agent.stdout !== null) await once(agent.stdout, 'data');
  const key = join(at.config, 'ca_ed25519');
  execFileSync('ssh-add', ['-q', key], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
  const [, fingerprint = ''] = execFileSync('ssh-keygen', ['-lf', key]).toString().split(' ');
  return { fingerprint, socket };
}

describe('a reload that replaces the authority', () => {
  it('fails no request that began before it: the former one is closed behind the last', async () => {
    let release: (answered: Answered) => void = () => {};
    const held = new Promise<Answered>((resolve) => {
      release = resolve;
    });
    const point = await DecisionPointServer.start(() => held);
    try {
      const policy = `policy: { enabled: true, flex_auth_url: "${point.url}", timeout: 30s, cache_ttl: 0s }\n`;
      const here = houseOf('test', policy);
      house = here;
      const { fingerprint, socket } = await holdKey(here);
      const warden = (key: string): string => `version: 1\nposture: test\nca: { key: "${key}" }\n${policy}`;
      writeConfig(here, { warden: warden(`agent:${fingerprint}`) });
      daemon = await startDaemon({ house: here, env: { SSH_AUTH_SOCK: socket } });
      const client = await Client.open(daemon.socket);
      const signing = client.sign();
      await point.askedTimes(1);

      writeConfig(here, { warden: warden('ca_ed25519') });
      // The watch may have been first: then this one finds it in force.
      expect(await client.reload()).toMatchObject({ generation: 2n, problems: [] });
      release({ effect: 'allow', id: 'decision:held' });
      expect((await signing).evidence).toMatchObject({ caFingerprint: fingerprint, generation: 1n });
      expect((await client.sign()).evidence).toMatchObject({ caFingerprint: fingerprint, generation: 2n });
      client.close();
    } finally {
      await point.close();
    }
  });
});

describe('what a reload replaced', () => {
  it('is closed at once where nobody uses it', () => {
    const closed: string[] = [];
    new Tenancy().retire({}, () => closed.push('first'));
    expect(closed).toEqual(['first']);
  });

  it('is closed behind its last user, and behind those of all that was replaced before it', () => {
    const closed: string[] = [];
    const tenancy = new Tenancy();
    const [first, second] = [{}, {}];
    const leaveFirst = [tenancy.enter(first), tenancy.enter(first)];
    tenancy.retire(first, () => closed.push('first'));
    const leaveSecond = tenancy.enter(second);
    tenancy.retire(second, () => closed.push('second'));
    leaveSecond();
    leaveFirst[0]?.();
    expect(closed).toEqual([]);
    leaveFirst[1]?.();
    expect(closed).toEqual(['first', 'second']);
  });
});
