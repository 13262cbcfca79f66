import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { parseLimits, readCallerProcess } from '../../daemon/runner/caller-process.ts';

describe('what a command takes over from its caller', () => {
  test('limits, as the kernel lists them, and none that is not known', () => {
    const text = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 524288               files     
Max nice priority         0                    0                    
Max something new         1                    2                    bytes     
`;
    expect(Object.fromEntries(parseLimits(text))).toEqual({
      cpu: { soft: null, hard: null },
      nofile: { soft: 1024n, hard: 524_288n },
      nice: { soft: 0n, hard: 0n },
    });
  });
  test('every limit that the kernel has', () => {
    expect(readCallerProcess(process.pid).limits.size).toBe(16);
  });
  test('the limit of open files that the shell has, though Node has raised its own', async () => {
    const script = 'ulimit -S -n 444; "$0" -e "console.log(process.pid); process.stdin.resume()"; exit 0';
    const shell = spawn('/bin/sh', ['-c', script, process.execPath], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(shell.stdout, 'data')) as [Buffer];
    expect(readCallerProcess(Number(line.toString())).limits.get('nofile')?.soft).toBe(444n);
    shell.stdin.end();
    await once(shell, 'exit');
  });
  test('a process that is not there cannot be read', () => {
    expect(() => readCallerProcess(2 ** 22 + 1)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
