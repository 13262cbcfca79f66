import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onlyActor } from '../../client/mcp/only-actor.ts';
import type { Channel } from '../../src/rpc/client/channel.ts';
import { houseWith, INVENTORY, lastRecord, recordsOf } from '../access/support.ts';
import { warden } from '../support/cli.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { type Agent, startAgent } from './support.ts';

const ROUTES = `version: 1
routes:
  - id: npm-publish
    title: npm token of the release pipeline
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M1, data_class: internal }
    location:
      prod: { mount: platform, path: workloads/ci/npm, fields: [token] }
    fetch_capable: true
    exec_capable: true
    inject: [{ field: token, env: NODE_AUTH_TOKEN }]
    actors: [agt-m0, agt-m1, agt-m3]
  - id: of-another
    owner: openbao
    lane: openbao-kv
    secret: { required_maturity: M0, data_class: synthetic }
    location: { prod: { mount: platform, path: workloads/y, fields: [v] } }
    exec_capable: true
    inject: [{ field: v, env: V }]
    actors: [agt-foreign]
`;

let daemon: RunningDaemon;
let agent: Agent;
/** What the command gets: looked for in everything that the client is told. */
let canary = '';
const seen: string[] = [];

beforeAll(async () => {
  daemon = await startDaemon({ house: houseWith({ routes: ROUTES, inventory: INVENTORY }) });
  canary = (await warden(['fetch', 'npm-publish', '--actor', 'agt-m1'], { env: { WARDEN_SOCKET: daemon.socket } }))
    .stdout;
  agent = await startAgent(daemon.socket, { args: ['--actor', 'agt-m1'], env: { LEFT_BY: 'the agent' } });
});
afterAll(async () => {
  await agent?.close();
  await daemon?.stop();
  daemon?.house.remove();
});

const call: Agent['call'] = async (name, args) => {
  const answer = await agent.call(name, args);
  seen.push(answer.raw);
  return answer;
};
const exec = (command: readonly string[], more: Record<string, unknown> = {}) =>
  call('exec_with_secrets', { routes: ['npm-publish'], command, ...more });
const sh = (script: string, more: Record<string, unknown> = {}) => exec(['/bin/sh', '-c', script], more);

describe('an MCP client before warden mcp', () => {
  test('sees four tools, each with a schema and a sentence, and learns what they are for', async () => {
    const { tools } = await agent.client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['list_routes', 'explain', 'sign_certificate', 'exec_with_secrets']);
    for (const { description, inputSchema } of tools) {
      expect(description?.length).toBeGreaterThan(60);
      expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
    }
    expect(tools.map(({ annotations }) => annotations?.readOnlyHint)).toEqual([true, true, false, false]);
    expect(agent.client.getServerVersion()).toMatchObject({ name: 'warden' });
    expect(agent.client.getInstructions()).toContain('never shown');
  });

  test('list_routes has what this process may ask for', async () => {
    const { data, isError } = await call('list_routes');
    expect(isError).toBe(false);
    expect(data).toMatchObject({
      posture: 'dev',
      routes: [{ id: 'npm-publish', exec_capable: true, required_maturity: 'M1', fields: ['token'] }],
    });
  });

  test('explain says what would happen, and why not', async () => {
    const exec = { action: 'exec', routes: ['npm-publish'], command: ['/bin/true'] };
    expect((await call('explain', exec)).data).toMatchObject({ verdict: 'allowed' });
    expect((await call('explain', { ...exec, routes: ['of-another'] })).data).toMatchObject({
      verdict: 'refused',
      reason: 'route_not_allowed',
    });
    expect((await call('explain', { action: 'fetch', routes: ['npm-publish'] })).data).toMatchObject({
      verdict: 'allowed',
    });
    expect((await call('explain', { action: 'sign', public_key: 'nonsense' })).data).toMatchObject({
      verdict: 'refused',
      reason: 'public_key_unsupported',
    });
  });

  test('sign_certificate gives a certificate that ssh-keygen reads', async () => {
    const key = join(agent.folder, 'id');
    expect(spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]).status).toBe(0);
    const { data } = await call('sign_certificate', {
      public_key: readFileSync(`${key}.pub`, 'utf8'),
      ttl: '10m',
      reason: 'testing',
      ticket: 'T-1',
    });
    writeFileSync(`${key}-cert.pub`, data.certificate);
    const read = spawnSync('ssh-keygen', ['-L', '-f', `${key}-cert.pub`], { encoding: 'utf8' });
    expect([read.status, read.stdout]).toEqual([0, expect.stringContaining(data.key_id)]);
    expect(lastRecord(daemon.house)).toMatchObject({
      kind: 'sign',
      outcome: 'ok',
      seq: data.ledger_seq,
      actor: 'agt-m1',
      user_reason: 'testing',
      ticket: 'T-1',
      ttl_hours: expect.closeTo(1 / 6, 3),
    });
  });
});

describe('a server that was started for nobody in particular', () => {
  const channelOf = (...actors: [name: string, usable: boolean][]) =>
    ({ unary: async () => ({ actors: actors.map(([name, usable]) => ({ name, usable })) }) }) as unknown as Channel;

  test('signs for the only actor that admits it, and for whom it is told', async () => {
    expect(await onlyActor(channelOf(['agt-a', false], ['agt-b', true]), '')).toBe('agt-b');
    expect(await onlyActor(channelOf(['agt-a', true], ['agt-b', true]), 'agt-c')).toBe('agt-c');
    await expect(onlyActor(channelOf(['agt-a', false]), '')).rejects.toMatchObject({ code: 'caller_not_allowed' });
  });

  test('says between whom it cannot choose', async () => {
    const nobody = await startAgent(daemon.socket);
    try {
      for (const [name, more] of [
        ['sign_certificate', {}],
        ['explain', { action: 'sign' }],
      ] as const) {
        const { isError, data } = await nobody.call(name, { ...more, public_key: 'ssh-ed25519 AAAA' });
        expect([isError, data]).toMatchObject([
          true,
          { error: { reason: 'invalid_request', hint: 'give actor: agt-m0, agt-m1, agt-m3' } },
        ]);
      }
    } finally {
      await nobody.close();
    }
  });

  test.each([
    [{ routes: ['npm-publish'], command: 'ls' }, 'command: must be of type array'],
    [{ routes: [], command: ['ls'] }, 'routes: at least 1 elements'],
    [{ routes: ['npm-publish'], command: ['ls'], timeout_seconds: 9999 }, 'timeout_seconds: at most 3600'],
    [{ routes: ['npm-publish'], command: ['ls'], no_mask: true }, 'the arguments: this tool does not know no_mask'],
  ])('is told what is wrong with %j', async (args, message) => {
    expect((await call('exec_with_secrets', args)).data).toMatchObject({
      error: { reason: 'invalid_request', message },
    });
  });
});

describe('exec_with_secrets', () => {
  test('runs a command that has the value, and answers with its output masked', async () => {
    const { data, isError } = await sh(
      'printf "%s\\n" "$NODE_AUTH_TOKEN"; echo to stderr "$NODE_AUTH_TOKEN" >&2; exit 3',
    );
    expect(isError).toBe(false);
    expect(data).toMatchObject({
      exit_code: 3,
      stdout: '[masked:npm-publish]\n',
      stderr: 'to stderr [masked:npm-publish]\n',
      actor: 'agt-m1',
      command: expect.stringMatching(/\/(da|ba)?sh$/),
      routes: [{ route: 'npm-publish', policy_effect: 'not_asked' }],
      synthetic: true,
      posture: 'dev',
    });
    const records = recordsOf(daemon.house);
    expect(records.find(({ seq }) => seq === data.routes[0].ledger_seq)).toMatchObject({
      kind: 'exec_start',
      outcome: 'ok',
    });
    expect(records.find(({ seq }) => seq === data.ledger_seq)).toMatchObject({ kind: 'exec_end', exit_code: 3 });
  });

  test('the command really has the value', async () => {
    const { createHash } = await import('node:crypto');
    const { data } = await sh('printf %s "$NODE_AUTH_TOKEN" | sha256sum');
    expect(data.stdout).toBe(`${createHash('sha256').update(canary).digest('hex')}  -\n`);
  });

  test.each([
    ['base64', 'printf %s "$NODE_AUTH_TOKEN" | base64'],
    ['hex', 'printf %s "$NODE_AUTH_TOKEN" | od -An -v -tx1 | tr -d " \\n"'],
    ['the whole environment', 'env'],
  ])('masks %s', async (_, script) => {
    expect((await sh(script)).data.stdout).toContain('[masked:npm-publish]');
  });

  test('gives the command stdin, variables, and the folder and environment of the server', async () => {
    const { data } = await sh('cat; echo; echo "$ADDED $LEFT_BY"; pwd', {
      stdin: 'typed',
      environment: { ADDED: 'added' },
    });
    expect(data.stdout).toBe(`typed\nadded the agent\n${agent.folder}\n`);
    expect((await sh('cat; echo "<$LEFT_BY>"', { pristine: true })).data.stdout).toBe('<>\n');
  });

  test('refuses more variables and words than a command may have, and names the largest', async () => {
    const environment = Object.fromEntries(['A', 'B', 'C', 'D'].map((name, i) => [name, 'x'.repeat(65_000 + i)]));
    const { isError, raw } = await sh('true', { environment });
    expect(isError).toBe(true);
    expect(raw).toMatch(/a command may have 240 KiB .* added variables 254 KiB/);
    expect(raw).toContain('D is the largest');
    expect((await sh('echo works')).data.stdout).toBe('works\n');
  });

  test('has no terminal', async () => {
    expect((await sh('test -t 0 || test -t 1 || test -t 2; echo $?')).data.stdout).toBe('1\n');
  });

  test('gives start and end of much output, and says how much is left out', async () => {
    const { data } = await sh('yes | head -c 3000000', { max_output_bytes: 4096 });
    expect(data).toMatchObject({ exit_code: 0, stdout_bytes: 3_000_000, stderr_bytes: 0, truncated: true });
    expect(data.stdout.length).toBeLessThan(4200);
    expect(data.stdout).toContain('\n[... 2995904 bytes left out ...]\n');
  });

  test('ends a command whose time is over', async () => {
    const { data } = await sh('echo begun; sleep 600', { timeout_seconds: 1 });
    expect(data).toMatchObject({ signal: 'SIGTERM', timed_out: true, stdout: 'begun\n' });
  });

  test('ends the command of a question that was taken back', async () => {
    const controller = new AbortController();
    const asked = agent.client.callTool(
      { name: 'exec_with_secrets', arguments: { routes: ['npm-publish'], command: ['/bin/sleep', '600'] } },
      undefined,
      { signal: controller.signal },
    );
    const refused = expect(asked).rejects.toThrow();
    await expect.poll(() => lastRecord(daemon.house).kind, { timeout: 20_000 }).toBe('exec_start');
    controller.abort('no longer wanted');
    await refused;
    await expect.poll(() => lastRecord(daemon.house).kind, { timeout: 20_000 }).toBe('exec_end');
  });

  test('serves several questions at once', async () => {
    const answers = await Promise.all([1, 2, 3, 4].map((n) => sh(`echo ${n}; sleep 0.2; exit ${n}`)));
    expect(answers.map(({ data }) => [data.exit_code, data.stdout])).toEqual([1, 2, 3, 4].map((n) => [n, `${n}\n`]));
  });
});

describe('a refusal is the answer of the tool, with reason, hint and ledger number', () => {
  test.each([
    ['a route of another', { routes: ['of-another'], command: ['/bin/true'] }, 'route_not_allowed'],
    [
      'an actor of somebody else',
      { routes: ['npm-publish'], command: ['/bin/true'], actor: 'agt-foreign' },
      'caller_not_allowed',
    ],
    ['no such command', { routes: ['npm-publish'], command: ['/bin/no-such'] }, 'command_not_found'],
  ])('%s', async (_, args, reason) => {
    const { data, isError } = await call('exec_with_secrets', args);
    expect(isError).toBe(true);
    expect(data.error).toMatchObject({
      reason,
      hint: expect.stringMatching(/./),
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(lastRecord(daemon.house)).toMatchObject({ seq: data.error.ledger_seq, outcome: 'refused', reason });
  });

  test.each([
    ['an argument that the tool does not know', { routes: ['npm-publish'], command: ['x'], no_mask: true }, 'no_mask'],
    ['no command', { routes: ['npm-publish'], command: [] }, 'command'],
    ['an argument of another kind', { routes: 'npm-publish', command: ['x'] }, 'routes'],
  ])('%s', async (_, args, where) => {
    const { data, isError } = await call('exec_with_secrets', args);
    expect([isError, data.error.reason]).toEqual([true, 'invalid_request']);
    expect(data.error.message).toContain(where);
  });

  test('a tool that there is not', async () => {
    await expect(agent.client.callTool({ name: 'fetch', arguments: {} })).rejects.toThrow('no such tool');
  });

  test('a daemon that is not there, and is there later', async () => {
    const elsewhere = await startAgent(join(agent.folder, 'none.sock'));
    const { data, isError } = await elsewhere.call('list_routes');
    expect([isError, data.error.reason]).toEqual([true, 'daemon_unreachable']);
    await elsewhere.close();
  });
});

describe('what a client never gets', () => {
  test('a value, in any answer of any tool', () => {
    expect(canary).toMatch(/^synthetic-/);
    expect(seen.length).toBeGreaterThan(20);
    const all = seen.join('\n');
    for (const form of [canary, Buffer.from(canary).toString('base64'), Buffer.from(canary).toString('hex')]) {
      expect(all).not.toContain(form.replaceAll('=', ''));
    }
    expect(agent.stderr()).toBe('');
  });

  test('$ warden mcp at a terminal says what it is, and ends', async () => {
    const { stdout } = spawnSync(
      'script',
      ['-qec', `${process.execPath} ${(await import('../support/built.ts')).builtPrograms().warden} mcp`, '/dev/null'],
      {
        encoding: 'utf8',
        timeout: 20_000,
      },
    );
    expect(stdout).toContain('speaks the Model Context Protocol');
  });

  test('the server ends with its client', async () => {
    const other = await startAgent(daemon.socket);
    await other.close();
    await expect.poll(() => spawnSync('kill', ['-0', String(other.pid)]).status, { timeout: 10_000 }).not.toBe(0);
  });

  test('the configuration in examples/mcp is one that works', async () => {
    const file = new URL('../../examples/mcp/client.json', import.meta.url);
    const { mcpServers } = JSON.parse(readFileSync(file, 'utf8'));
    expect(mcpServers.warden.command).toBe('warden');
    const started = await startAgent(daemon.socket, { args: mcpServers.warden.args.slice(1) });
    const { data } = await started.call('list_routes');
    // Its actor is an example, and not of this inventory.
    expect(data).toMatchObject({ error: { reason: 'caller_not_allowed' } });
    expect((await started.client.listTools()).tools).toHaveLength(4);
    await started.close();
  });
});
