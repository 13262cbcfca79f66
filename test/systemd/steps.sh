#!/bin/bash
# Runs inside the machine, as a unit. Uses the package as its user would, and leaves what every command said in
# /srv/out: NAME.out (stdout and stderr) and NAME.code. What it means is for the test to judge.
export HOME=/root LC_ALL=C.UTF-8
cd /tmp || exit 1

step() {
  local name=$1
  shift
  "$@" > "/srv/out/$name.out" 2>&1 < /dev/null
  echo $? > "/srv/out/$name.code"
}
# Again and again until it holds, for at most twenty seconds.
until_holds() {
  local end=$((SECONDS + 20))
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}
as_tester() { setpriv --reuid=tester --regid=tester --init-groups env HOME=/home/tester USER=tester "$@"; }
as_warden() { setpriv --reuid=warden --regid=warden --clear-groups env HOME=/ "$@"; }
traces() {
  # Folders of this machine appear there as soon as something in them is touched.
  find /srv/changes \( -not -type d -o -path '*warden*' \) | sort
  find /etc/systemd/system /run -xdev \( -path /run/systemd -o -path /run/log -o -path /run/user \) -prune -o -print | sort
  cat /etc/passwd /etc/group
}
property() { systemctl show "$2" -P "$1"; }
generation() { warden status --json | node -pe 'JSON.parse(require("fs").readFileSync(0)).snapshot.generation'; }
journal() { journalctl -u "${1:-wardend.service}" -o cat --no-pager; }

useradd --create-home tester
systemctl --version | head -1 > /srv/out/systemd-version.out
traces > /tmp/traces-before

# ---- installed by its own command
step dry-run warden install --system --posture dev --dry-run
traces > /tmp/traces-dry
step dry-run-traces diff /tmp/traces-before /tmp/traces-dry
step install-without-posture warden install --system
step install-as-user as_tester warden install --system --posture dev
step install warden install --system --posture dev
step type property Type wardend.service
step active systemctl is-active wardend.service wardend.socket wardend-credentials.socket wardend-spawner.socket
step verify systemd-analyze verify /etc/systemd/system/wardend.service /etc/systemd/system/wardend.socket /etc/systemd/system/wardend-credentials.socket /etc/systemd/system/wardend-spawner.service /etc/systemd/system/wardend-spawner.socket
step config-modes stat -c '%n %U:%G %a' /etc/warden /etc/warden/ca_ed25519 /etc/warden/warden.yaml /var/lib/warden /run/warden /run/warden/wardend.sock /run/warden/credentials.sock /run/warden/spawner.sock
step process grep -E '^(Uid|NoNewPrivs|Seccomp|CapEff|CapAmb):' "/proc/$(property MainPID wardend.service)/status"
step security systemd-analyze security --offline=true /etc/systemd/system/wardend.service --no-pager

# The very sandbox of the unit, around a program that tries what a daemon in other hands would.
cat > /usr/local/bin/intruder <<'PY'
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, work):
    try:
        work()
        print(name, 'possible')
    except OSError as error:
        print(name, os.strerror(error.errno))
def call(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), '')
def unshare(): call(libc.unshare(0x10000000))
attempt('write to /usr', lambda: open('/usr/touched', 'w'))
attempt('write its config', lambda: open('/etc/warden/touched', 'w'))
attempt('read the CA key', lambda: open('/etc/warden/ca_ed25519'))
attempt('attach to pid 1', lambda: call(libc.ptrace(16, 1, 0, 0)))
attempt('read the memory of pid 1 by a call', lambda: call(libc.process_vm_readv(1, None, 0, None, 0, 0)))
attempt('make a user namespace', unshare)
attempt('become root', lambda: os.setresuid(0, 0, 0))
attempt('open a netlink socket', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt('open a packet socket', lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt('look into a home', lambda: os.listdir('/home/tester'))
attempt('write to its state', lambda: open('/var/lib/warden/touched', 'w').close() or os.unlink('/var/lib/warden/touched'))
attempt('see who runs as root', lambda: os.readlink('/proc/1/exe'))
PY
sed -e 's/^Type=.*/Type=oneshot/' -e '/^ExecReload=/d' -e 's,^ExecStart=.*,ExecStart=/usr/bin/python3 /usr/local/bin/intruder\nStandardOutput=file:/srv/out/intruder.out,' \
  -e '/^Requires=/d' -e '/^After=/d' -e '/^Restart=/d' -e '/^WatchdogSec=/d' /etc/systemd/system/wardend.service > /run/systemd/system/intruder.service
systemctl daemon-reload
step security-spawner systemd-analyze security --offline=true /etc/systemd/system/wardend-spawner.service --no-pager
step intruder-ran systemctl start intruder.service
rm /usr/local/bin/intruder /run/systemd/system/intruder.service

step doctor warden doctor

# ---- its config changes, and it is told to read it again
usermod --append --groups warden tester
cat > /etc/warden/inventory.yaml <<'YAML'
version: 1
actors:
  - { name: adm-root, type: adm, principals: [root], ttl_hours: 8, max_ttl_hours: 24, callers: [{ uid: 0 }] }
  - { name: agt-tester, type: agt, principals: [tester], ttl_hours: 1, max_ttl_hours: 8, maturity: M2, callers: [{ user: tester, exe: /usr/bin/node }] }
  - { name: atm-app, type: atm, principals: [app], ttl_hours: 1, max_ttl_hours: 8, maturity: M2, callers: [] }
YAML
cat > /etc/warden/routes.yaml <<'YAML'
version: 1
routes:
  - id: app-db
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M0, data_class: synthetic }
    location: { dev: { mount: app, path: db, fields: [user, password] } }
    fetch_capable: true
    exec_capable: true
    inject: [{ field: password, env: DB_PASSWORD }]
    commands: [{ path: /usr/bin/sha256sum, argv: ["**"] }, { path: /bin/sh, argv: ["**"] }, { path: /usr/bin/sh, argv: ["**"] }]
    actors: [agt-tester, atm-app]
    units: [{ unit: app.service, name: db-password, actor: atm-app, field: password }]
YAML
# Three refusals of credentials come below.
echo 'alerts: { refusals: 3/10m }' >> /etc/warden/warden.yaml
chown root:warden /etc/warden/*.yaml
chmod 0640 /etc/warden/*.yaml
step reload systemctl reload wardend.service
step generation-after-reload generation
until_holds test "$(generation)" = 2
step generation generation
cp /etc/warden/routes.yaml /tmp/routes.yaml
echo 'surprise: yes' >> /etc/warden/routes.yaml
step reload-bad systemctl reload wardend.service
until_holds bash -c 'systemctl show wardend.service -P StatusText | grep -q "not serving: config"'
step status-bad property StatusText wardend.service
cat /tmp/routes.yaml > /etc/warden/routes.yaml
until_holds bash -c '! systemctl show wardend.service -P StatusText | grep -q "not serving"'
step status-good property StatusText wardend.service
step active-after-reload systemctl is-active wardend.service

# ---- what it is for, as another user, with an executable in the selector
ssh-keygen -q -t ed25519 -N '' -f /home/tester/key -C tester && chown tester /home/tester/key*
step sign as_tester warden sign agt-tester --pubkey /home/tester/key.pub
step certificate ssh-keygen -L -f /home/tester/key-cert.pub
step sign-as-other as_tester warden sign adm-root --pubkey /home/tester/key.pub --out /home/tester/other-cert.pub
step fetch as_tester warden fetch app-db --actor agt-tester --field password

# ---- systemd fetches credentials for units
unit() { printf '[Service]\nType=oneshot\n%s\n' "$2" > "/run/systemd/system/$1"; systemctl daemon-reload; }
mkdir -p /run/systemd/system
unit app.service $'LoadCredential=db-password:/run/warden/credentials.sock\nDynamicUser=yes\nExecStart=/bin/sh -c "cat ${CREDENTIALS_DIRECTORY}/db-password"\nStandardOutput=file:/srv/out/credential.out'
step app systemctl start app.service
unit stranger.service $'LoadCredential=db-password:/run/warden/credentials.sock\nExecStart=/bin/true'
step stranger systemctl start stranger.service
step stranger-status property ExecMainStatus stranger.service
cat > /tmp/ask.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind("\0" + sys.argv[1])
s.connect("/run/warden/credentials.sock")
s.shutdown(socket.SHUT_WR)
print(repr(s.recv(4096)))
PY
chmod 0644 /tmp/ask.py
step ask-closed as_tester python3 /tmp/ask.py 1111/unit/app.service/db-password
chmod 0755 /run/warden
chmod 0666 /run/warden/credentials.sock
step ask-tester as_tester python3 /tmp/ask.py 2222/unit/app.service/db-password
chmod 0750 /run/warden
chmod 0600 /run/warden/credentials.sock
step ask-root python3 /tmp/ask.py 3333/unit/app.service/db-password
step ask-nonsense python3 /tmp/ask.py something-else
step fetch-records warden ledger query --kind fetch --json

# ---- a command with a secret, as its caller and outside the daemon's sandbox
step exec as_tester warden exec --route app-db --actor agt-tester -- /usr/bin/sh -c \
  'id -un; printf %s "$DB_PASSWORD" | sha256sum; grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status; grep ^0:: /proc/self/cgroup; exit 7'
step exec-hash bash -c 'printf %s "$(cat /srv/out/fetch.out)" | sha256sum'
confined() {
  unit "$1.service" "User=tester
SupplementaryGroups=warden
$2
Environment=HOME=/home/tester
StandardOutput=file:/srv/out/$1-said.out
StandardError=file:/srv/out/$1-said.out
ExecStart=/usr/local/bin/warden exec --route app-db --actor agt-tester -- /usr/bin/sh -c true"
  step "$1" systemctl start "$1.service"
}
confined unconfined 'Nice=1'
confined no-new-privileges 'NoNewPrivileges=yes'
confined few-capabilities 'CapabilityBoundingSet=CAP_SYS_PTRACE'
confined own-tmp 'PrivateTmp=yes'

# ---- the spawner starts on demand, and answers one user
cat > /tmp/knock.py <<'PY'
import socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect("/run/warden/spawner.sock")
try:
    print(repr(s.recv(4096)))
except OSError as error:
    print(type(error).__name__)
PY
chmod 0644 /tmp/knock.py
step knock-tester as_tester python3 /tmp/knock.py
step knock-root python3 /tmp/knock.py
step spawner-active systemctl is-active wardend-spawner.service
step spawner-journal journalctl -u wardend-spawner.service -o cat --no-pager

# ---- two daemons, one socket
step second-state as_warden wardend --config /etc/warden --state /var/lib/warden --socket /tmp/second.sock
mkdir -m 0700 /tmp/second && chown warden /tmp/second
race() {
  as_warden wardend --config /tmp/second/none --state /tmp/second/a --socket /run/warden/wardend.sock & a=$!
  as_warden wardend --config /tmp/second/none --state /tmp/second/b --socket /run/warden/wardend.sock & b=$!
  wait $a; code=$?
  wait $b; echo "codes $code $?"
}
step second-socket race
rm -rf /tmp/second

# ---- restarts under load refuse nobody
ask_on() {
  while [ ! -e /tmp/enough ]; do
    if said=$("${@:-warden}" actors --quiet 2>&1); then echo ok; else echo "$said"; fi
  done
}
restarts() {
  ask_on > /tmp/asked-1 & local one=$!
  ask_on > /tmp/asked-2 & local two=$!
  for _ in 1 2 3; do
    sleep 0.5
    systemctl restart wardend.service || echo 'a restart failed'
  done
  sleep 0.3
  touch /tmp/enough
  wait $one $two
  sort /tmp/asked-1 /tmp/asked-2 | uniq -c
}
step restarts restarts
# ... nor does an upgrade: a newer version is put in the place of the one that runs, and the daemon restarted.
upgrade() {
  local package former
  package=$(dirname "$(dirname "$(realpath "$(command -v warden)")")")
  former=$(warden status --json | node -pe 'JSON.parse(require("fs").readFileSync(0)).version')
  cp -a "$package/dist" "$package/dist.client"
  cp -a "$package/dist" "$package/dist.newer"
  sed -i "s/\"${former//./\\.}\"/\"9.9.9\"/" "$package"/dist.newer/*.mjs
  rm -f /tmp/enough
  ask_on node "$package/dist.client/warden.cjs" > /tmp/asked-1 & local one=$!
  ask_on node "$package/dist.client/warden.cjs" > /tmp/asked-2 & local two=$!
  sleep 0.5
  mv "$package/dist" "$package/dist.former"
  mv "$package/dist.newer" "$package/dist"
  systemctl restart wardend.service || echo 'the restart failed'
  sleep 0.3
  touch /tmp/enough
  wait $one $two
  sort /tmp/asked-1 /tmp/asked-2 | uniq -c
  warden status --json | node -pe '"from " + process.argv[1] + " to " + JSON.parse(require("fs").readFileSync(0)).version' "$former"
  rm -r "$package/dist"
  mv "$package/dist.former" "$package/dist"
  rm -r "$package/dist.client"
  systemctl restart wardend.service
}
step upgrade upgrade
systemctl reset-failed wardend.service
# ... nor while a command is given its grace, and others wait for the next daemon all the while.
busy() {
  as_tester warden exec --route app-db --actor agt-tester -- /usr/bin/sh -c 'trap "echo asked to end; exit 3" TERM; echo up; while :; do sleep 0.1; done' > /tmp/busy 2>&1 &
  local command=$!
  until_holds grep -qs up /tmp/busy
  systemctl restart wardend.service &
  local restart=$!
  sleep 1
  warden actors --quiet | head -1
  wait $restart || echo 'the restart failed'
  wait $command
  echo "ended with $?"
  cat /tmp/busy
}
step restart-busy busy
systemctl reset-failed wardend.service

# ---- hung, it is killed and comes back
mkdir -p /run/systemd/system/wardend.service.d
printf '[Service]\nWatchdogSec=6s\n' > /run/systemd/system/wardend.service.d/test.conf
systemctl daemon-reload
systemctl restart wardend.service
before=$(property MainPID wardend.service)
# Two periods of the watchdog: it is alive while it answers.
sleep 8
step fed test "$before" = "$(property MainPID wardend.service)"
kill -STOP "$before"
until_holds bash -c 'test "$(systemctl show wardend.service -P NRestarts)" = 1'
until_holds systemctl --quiet is-active wardend.service
step watchdog warden status
step watchdog-journal journalctl -u wardend.service -g 'Watchdog timeout' -o cat --no-pager
step verify-ledger warden ledger verify --state /var/lib/warden

# ---- the CA key encrypted on disk, as docs/systemd.md has it
encrypt() {
  set -e
  systemd-creds encrypt --name=ca_ed25519 /etc/warden/ca_ed25519 /etc/warden/ca_ed25519.cred
  rm /etc/systemd/system/wardend.service.d/10-ca-key.conf /etc/warden/ca_ed25519
  printf '[Service]\nLoadCredentialEncrypted=ca_ed25519:/etc/warden/ca_ed25519.cred\n' > /etc/systemd/system/wardend.service.d/20-ca-key.conf
  systemctl daemon-reload
  systemctl restart wardend.service
}
as_encrypted() { ( encrypt ); }
step encrypted as_encrypted
step sign-encrypted warden sign adm-root --pubkey /etc/warden/ca_ed25519.pub --out /tmp/encrypted-cert.pub
step install-again warden install --system
rm -f /etc/systemd/system/wardend.service.d/20-ca-key.conf /etc/warden/ca_ed25519.cred /var/lib/systemd/credential.secret

step journal journal

# ---- undone
step uninstall warden install --system --uninstall
step uninstalled-status warden status
rm -f /etc/warden/routes.yaml
step purge warden install --uninstall --purge
step purge-again warden install --uninstall --purge
# ---- for one user, under a manager of their own
uid=$(id -u tester)
install -d -m 0700 -o tester -g tester "/run/user/$uid"
unit tester-manager.service "User=tester
Delegate=yes
Environment=XDG_RUNTIME_DIR=/run/user/$uid
ExecStart=/usr/lib/systemd/systemd --user"
sed -i 's/^Type=.*/Type=notify/' /run/systemd/system/tester-manager.service
systemctl daemon-reload
step user-manager systemctl start tester-manager.service
as_user() { as_tester env XDG_RUNTIME_DIR="/run/user/$uid" "$@"; }
step user-without-manager as_tester warden install --posture dev
step user-dry-run as_user warden install --user --posture dev --dry-run
step user-install as_user warden install --user --posture dev
step user-verify as_user systemd-analyze --user verify /home/tester/.config/systemd/user/wardend.service
step user-inactive as_user systemctl --user is-active wardend.service
step user-sign as_user warden sign adm-tester --pubkey /home/tester/key.pub
step user-active as_user systemctl --user is-active wardend.service
step user-status as_user warden status --json
step user-agent as_user systemctl --user start warden-agent.service
until_holds test -S "/run/user/$uid/warden/agent.sock"
step user-agent-keys as_user env SSH_AUTH_SOCK="/run/user/$uid/warden/agent.sock" ssh-add -l
step user-doctor as_user warden doctor
step user-reload as_user systemctl --user reload wardend.service
step user-again as_user warden install
step user-journal as_user systemctl --user status wardend.service
step user-uninstall as_user warden install --uninstall --purge
step root-user warden install --user
systemctl stop tester-manager.service
rm -f /run/systemd/system/*.service

rm -rf /home/tester/key* /home/tester/.cache /home/tester/.local /home/tester/.config
traces > /tmp/traces-after
step traces diff /tmp/traces-before /tmp/traces-after
