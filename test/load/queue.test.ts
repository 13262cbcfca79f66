import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { connectSocket } from '../../src/rpc/client/connect.ts';

const folder = mkdtempSync(join(tmpdir(), 'warden-queue-'));
const children: ReturnType<typeof spawn>[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Listens with a queue of one, fills it, and takes connections from the moment it is told to. */
const SCRIPT = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
print("full", flush=True); sys.stdin.readline()
held = [s.accept() for n in range(2)]; sys.stdin.readline()`;

test('a client whose daemon has a full queue waits its turn, within its time', async () => {
  const path = join(folder, 'w.sock');
  const child = spawn('python3', ['-c', SCRIPT, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  await expect(connectSocket(path, 100)).rejects.toMatchObject({ fault: 'timeout' });
  const waiting = connectSocket(path, 20_000);
  child.stdin.write('\n');
  (await waiting).destroy();
});
