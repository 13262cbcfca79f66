import { readFile } from 'node:fs/promises';

/** What a tool has for an environment: nothing of the daemon's nor of the caller's, but who the caller is. */
export async function toolEnvironment(
  uid: number,
  path: readonly string[],
  more: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const { name, home } = await accountOf(uid);
  return { PATH: path.join(':'), HOME: home, USER: name, LOGNAME: name, LANG: 'C.UTF-8', ...more };
}

interface Account {
  readonly name: string;
  readonly home: string;
}

async function accountOf(uid: number): Promise<Account> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  for (const line of passwd.split('\n')) {
    const [name = '', , number, , , home = '/'] = line.split(':');
    if (number === String(uid)) return { name, home };
  }
  return { name: String(uid), home: '/' };
}
