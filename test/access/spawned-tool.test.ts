import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOwnChildRunner } from '../../daemon/runner/own-child.ts';
import { createValueFiles } from '../../daemon/runner/value-files.ts';
import { createSpawnedToolRunner } from '../../src/access/spawned-tool.ts';
import type { ToolRunner } from '../../src/access/tool-runner.ts';
import { Secret } from '../../src/kernel/secret.ts';
import { type CallerProcess, Callers, openFolder, removeFolder } from '../runner/support.ts';

describe('a tool that is run as commands are', () => {
  const folder = openFolder();
  const own = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1, groups: process.getgroups?.() ?? [] };
  let callers: Callers;
  let caller: CallerProcess;
  beforeAll(async () => {
    callers = await Callers.listen(join(folder, 'd.sock'));
    caller = await callers.call(null);
  });
  afterAll(async () => {
    await caller.end();
    await callers.close();
    removeFolder(folder);
  });

  const runnerOf = (timeoutMs: number): ToolRunner => {
    const runner = createOwnChildRunner({ own, valueFiles: createValueFiles([]) });
    const options = { runner, path: ['/usr/bin', '/bin'], env: { BAO_ADDR: 'unix:///x' }, maxBytes: 1_000, timeoutMs };
    return createSpawnedToolRunner(options);
  };
  function run(
    argv: readonly string[],
    { token = null as Secret | null, signal = new AbortController().signal, timeoutMs = 30_000 } = {},
  ): Promise<string> {
    return runnerOf(timeoutMs)
      .run({ argv, connection: caller.connection, token, signal })
      .then((output) => output.reveal().toString());
  }

  test('gives what it wrote to stdout, and has its own few variables', async () => {
    const said = await run(
      ['sh', '-c', 'cat; echo noise >&2; env | cut -d= -f1 | sort | tr "\\n" " "; echo "$BAO_TOKEN"'],
      {
        token: Secret.fromString('t'),
      },
    );
    expect(said).toBe('BAO_ADDR BAO_TOKEN HOME LANG LOGNAME PATH PWD USER t\n');
  });
  test('is found before it is run, by the same search', async () => {
    const find = (name: string) => runnerOf(1_000).find({ argv: [name, '-c'], connection: caller.connection });
    expect(await find('sh')).toMatch(/^\/(?:usr\/)?bin\/sh$/);
    await expect(find('no-such-tool')).rejects.toMatchObject({
      code: 'tool_failed',
      message: 'there is no command no-such-tool',
    });
  });
  test.each([
    ['there is no such tool', ['no-such-tool'], /there is no command no-such-tool/],
    ['it may not be executed', ['/etc/passwd'], /not executable/],
    ['it ends badly', ['sh', '-c', 'echo v; exit 3'], /sh ended with exit code 3/],
    ['it is killed', ['sh', '-c', 'kill -9 $$'], /sh ended with SIGKILL/],
    ['it writes too much', ['head', '-c', '2000', '/dev/zero'], /wrote more than 1000 bytes/],
  ])('is a failure where %s', async (_what, argv, message) => {
    await expect(run(argv)).rejects.toMatchObject({ code: 'tool_failed', message: expect.stringMatching(message) });
  });
  test('is a failure where it takes too long, or nobody waits', async () => {
    await expect(run(['sleep', '60'], { timeoutMs: 50 })).rejects.toMatchObject({ code: 'tool_failed' });
    const leaving = new AbortController();
    const waiting = run(['sleep', '60'], { signal: leaving.signal });
    setImmediate(() => leaving.abort());
    await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/tool_failed|deadline_exceeded/) });
  });
});
