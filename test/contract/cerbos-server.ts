import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type RequestOptions, request } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import type { RegistrySnapshot } from '../../src/policy/registry-snapshot.ts';
import { formatCerbosRegistry } from '../../src/registry/cerbos.ts';
import { examples } from '../registry/read-inventory.ts';

const binary = join(
  dirname(createRequire(import.meta.url).resolve('@cerbos/cerbos-linux-x64/package.json')),
  'cerbos-linux-x64',
);
const shipped = fileURLToPath(new URL('cerbos/', examples));

export interface CerbosServer {
  /** As `policy.flex_auth_url` takes it. */
  readonly url: string;
  readonly socketPath: string;
  close(): Promise<void>;
}

/**
 * The real Cerbos server with the shipped configuration and policies over the registry given, on Unix sockets of
 * a folder of its own, so that no port can be taken by somebody else. `listen` replaces the HTTP address.
 */
export async function startCerbos(registry: RegistrySnapshot, listen?: string): Promise<CerbosServer> {
  const folder = await mkdtemp(join(tmpdir(), 'cerbos-'));
  const socketPath = join(folder, 'http.sock');
  await mkdir(join(folder, 'policies'));
  await copyFile(join(shipped, 'policies/ssh_certificate.yaml'), join(folder, 'policies/ssh_certificate.yaml'));
  await writeFile(join(folder, 'policies/registry.yaml'), formatCerbosRegistry(registry));
  const settings = {
    'server.httpListenAddr': listen ?? `unix:${socketPath}`,
    'server.grpcListenAddr': `unix:${join(folder, 'grpc.sock')}`,
    'storage.disk.directory': join(folder, 'policies'),
    'storage.disk.watchForChanges': 'false',
  };
  const overrides = Object.entries(settings).map(([key, value]) => `--set=${key}=${value}`);
  const child = spawn(
    binary,
    ['server', `--config=${join(shipped, 'cerbos.yaml')}`, '--log-level=error', ...overrides],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-4_096);
  });
  const exited = once(child, 'exit');
  try {
    await vi.waitFor(
      async () => {
        if (child.exitCode !== null) throw new Error(`cerbos ended: ${said}`);
        await healthy(
          listen === undefined ? { socketPath } : { host: listen.split(':')[0], port: Number(listen.split(':')[1]) },
        );
      },
      { timeout: 30_000, interval: 50 },
    );
  } catch (error) {
    child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: listen === undefined ? `unix://${socketPath}` : `http://${listen}`,
    socketPath,
    async close() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function healthy(where: { socketPath: string } | { host: string | undefined; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path: '/_cerbos/health' } as RequestOptions, (response) => {
      response.resume();
      if (response.statusCode === 200) resolve();
      else reject(new Error(`health is ${response.statusCode}`));
    });
    asked.once('error', reject);
    asked.end();
  });
}
