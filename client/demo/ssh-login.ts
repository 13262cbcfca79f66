import { existsSync, mkdirSync, openSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { ownLogin } from '../own-login.ts';
import { answers, findProgram, freePort } from './programs.ts';
import { DemoFailure, type Stage } from './stage.ts';

/** sshd as root wants this folder; packages make it at boot, containers often lack it. */
const PRIVSEP_FOLDER = '/run/sshd';

/** A real login: an sshd of our own on the loopback address that trusts nothing but the CA. */
export async function demoLogin(stage: Stage, caKeys: string, principal: string): Promise<void> {
  const find = (name: string) => findProgram(name, stage.env.PATH);
  const [sshd, ssh, keygen] = [find('sshd'), find('ssh'), find('ssh-keygen')];
  const { username, shell } = ownLogin();
  const lacking = [sshd === null && 'sshd', ssh === null && 'ssh', keygen === null && 'ssh-keygen'].filter(Boolean);
  if (sshd === null || ssh === null || keygen === null) {
    stage.say(
      `left out: the ssh login, since this machine has no ${lacking.join(' and no ')} (Debian: openssh-server)`,
    );
    return;
  }
  if (username === '') {
    stage.say('left out: the ssh login, since this uid is in no user database and sshd knows nobody else');
    return;
  }
  if (shell !== null && /(?:nologin|false)$/.test(shell)) {
    stage.say(`left out: the ssh login, since ${username} has no login shell`);
    return;
  }
  if (process.getuid?.() === 0 && !existsSync(PRIVSEP_FOLDER)) {
    mkdirSync(PRIVSEP_FOLDER, { mode: 0o755 });
    stage.afterwards(() => rmdirSync(PRIVSEP_FOLDER));
  }
  const port = await freePort();
  const hostKey = ['-q', '-t', 'ed25519', '-N', '', '-f', 'host_key'];
  await stage.step('ssh-keygen -q -t ed25519 -N "" -f host_key', [keygen, ...hostKey], { code: 0 });
  writeFileSync(stage.path('user_ca.pub'), caKeys);
  writeFileSync(stage.path('principals'), `${principal}\n`);
  writeFileSync(stage.path('sshd_config'), sshdConfig(stage, port));
  writeFileSync(stage.path('known_hosts'), `[127.0.0.1]:${port} ${readFileSync(stage.path('host_key.pub'), 'utf8')}`);
  const log = stage.path('sshd.log');
  const child = stage.start([sshd, '-D', '-e', '-f', stage.path('sshd_config')], openSync(log, 'a', 0o600));
  try {
    await stage.until('sshd', child, () => answers({ port }));
    const options = [
      '-F',
      'none',
      '-o',
      'BatchMode=yes',
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      'UserKnownHostsFile=known_hosts',
    ];
    await stage.step(
      `ssh -p ${port} -i key ${username}@127.0.0.1 'echo logged in as $(id -un)'`,
      [ssh, ...options, '-p', String(port), '-i', 'key', `${username}@127.0.0.1`, 'echo logged in as $(id -un)'],
      { code: 0, says: new RegExp(`^logged in as ${username.replace(/[^\w-]/g, '.')}$`, 'm') },
    );
  } catch (error) {
    if (!(error instanceof DemoFailure)) throw error;
    const why = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join(' | ');
    throw new DemoFailure(`${error.message}${why === '' ? '' : `; sshd says: ${why}`}`);
  }
}

function sshdConfig(stage: Stage, port: number): string {
  return [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${stage.path('host_key')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'AuthenticationMethods publickey',
    'AuthorizedKeysFile none',
    'PermitUserRC no',
    `TrustedUserCAKeys ${stage.path('user_ca.pub')}`,
    `AuthorizedPrincipalsFile ${stage.path('principals')}`,
    '',
  ].join('\n');
}
