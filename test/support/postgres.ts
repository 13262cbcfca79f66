import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './openbao.ts';

const VERSIONS = '/usr/lib/postgresql';
const PASSWORD = 'of-this-test';

export interface Postgres {
  readonly port: number;
  /** As the superuser. */
  readonly url: string;
  /** What one statement prints, unaligned; by default as the superuser. @throws Error with what psql says */
  sql(statement: string, login?: { readonly user: string; readonly password: string }): string;
  stop(): Promise<void>;
}

/** A real PostgreSQL from Debian's packages, in a temporary folder, on 127.0.0.1. */
export async function startPostgres(): Promise<Postgres> {
  const [version] = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  if (version === undefined) throw new Error('PostgreSQL is missing: run `node .ci/setup.mjs test`, which installs it');
  const bin = join(VERSIONS, version, 'bin');
  const folder = mkdtempSync(join(tmpdir(), 'warden-postgres-'));
  // It refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const ids = isRoot ? accountOf('postgres') : null;
  if (ids !== null) chownSync(folder, ids.uid, ids.gid);
  const as = ids === null ? {} : ids;
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, PASSWORD);
  chmodSync(passwordFile, 0o644);
  const data = join(folder, 'data');
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'super', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '--no-locale'],
    { ...as, env, cwd: folder, stdio: 'ignore' },
  );
  const port = await freePort();
  const args = [
    '-D',
    data,
    '-p',
    String(port),
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    `unix_socket_directories=${folder}`,
  ];
  const child = spawn(join(bin, 'postgres'), [...args, '-c', 'fsync=off'], {
    ...as,
    env,
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const lines = createInterface({ input: child.stderr });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`postgres ended with ${code}`)));
    lines.on('line', (line) => {
      if (line.includes('ready to accept connections')) resolve();
    });
  });
  child.removeAllListeners('exit');
  return {
    port,
    url: `postgresql://{{username}}:{{password}}@127.0.0.1:${port}/postgres?sslmode=disable`,
    sql: (statement, { user, password } = { user: 'super', password: PASSWORD }) =>
      execFileSync(
        join(bin, 'psql'),
        ['-XAt', '-h', '127.0.0.1', '-p', String(port), '-U', user, '-d', 'postgres', '-c', statement],
        {
          env: { ...env, PGPASSWORD: password },
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ).trim(),
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export const POSTGRES_LOGIN = { username: 'super', password: PASSWORD };

function accountOf(name: string): { uid: number; gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
