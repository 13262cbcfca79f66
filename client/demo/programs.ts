import { accessSync, constants } from 'node:fs';
import { connect, createServer } from 'node:net';
import { isAbsolute, join } from 'node:path';

/** The program in PATH or in the folders for administrators; null where it is not installed. */
export function findProgram(name: string, path: string | undefined): string | null {
  const folders = [...(path ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/sbin'].filter((folder) =>
    isAbsolute(folder),
  );
  for (const folder of folders) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not there: the next one.
    }
  }
  return null;
}

/** A port of the loopback address that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0));
    });
  });
}

/** Does anyone listen there? */
export function answers(target: { readonly port: number } | { readonly path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = 'port' in target ? connect(target.port, '127.0.0.1') : connect(target.path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
