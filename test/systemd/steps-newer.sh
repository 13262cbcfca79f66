#!/bin/bash
# As steps.sh, in a machine whose systemd knows Type=notify-reload: what differs there, and nothing else.
export HOME=/root LC_ALL=C.UTF-8
cd /tmp || exit 1

step() {
  local name=$1
  shift
  "$@" > "/srv/out/$name.out" 2>&1 < /dev/null
  echo $? > "/srv/out/$name.code"
}
property() { systemctl show wardend.service -P "$1"; }

useradd --create-home alice
systemctl --version | head -1 > /srv/out/systemd-version.out
# As sudo does it: the actor is of whoever typed it.
step install env SUDO_USER=alice SUDO_UID="$(id -u alice)" warden install --system --posture dev
step inventory grep -A6 '^  - name' /etc/warden/inventory.yaml
step alice-id id -u alice
step type property Type
step verify systemd-analyze verify /etc/systemd/system/wardend.service /etc/systemd/system/wardend.socket
step security systemd-analyze security --offline=true /etc/systemd/system/wardend.service --no-pager

# What systemctl waits for is in force when it comes back.
cat > /etc/warden/routes.yaml <<'YAML'
version: 1
routes:
  - id: app-db
    owner: openbao
    lane: openbao-kv
    as: daemon
    secret: { required_maturity: M0, data_class: synthetic }
    location: { dev: { mount: app, path: db, fields: [password] } }
    fetch_capable: true
    actors: [atm-app]
    units: [{ unit: app.service, name: db-password, actor: atm-app }]
YAML
cat >> /etc/warden/inventory.yaml <<'YAML'
  - { name: atm-app, type: atm, principals: [app], ttl_hours: 1, max_ttl_hours: 8, callers: [{ unit: app.service }] }
YAML
chown root:warden /etc/warden/routes.yaml
chmod 0640 /etc/warden/routes.yaml
step reload systemctl reload wardend.service
step status-after-reload property StatusText
echo 'surprise: yes' >> /etc/warden/routes.yaml
step reload-bad systemctl reload wardend.service
step status-bad property StatusText
sed -i '$d' /etc/warden/routes.yaml
step reload-good systemctl reload wardend.service
step status-good property StatusText
step alive property NRestarts

mkdir -p /run/systemd/system
cat > /run/systemd/system/app.service <<'UNIT'
[Service]
Type=oneshot
DynamicUser=yes
LoadCredential=db-password:/run/warden/credentials.sock
ExecStart=/bin/sh -c "cat ${CREDENTIALS_DIRECTORY}/db-password"
StandardOutput=file:/srv/out/credential.out
UNIT
cat > /run/systemd/system/stranger.service <<'UNIT'
[Service]
Type=oneshot
LoadCredential=db-password:/run/warden/credentials.sock
ExecStart=/usr/bin/test -s ${CREDENTIALS_DIRECTORY}/db-password
UNIT
systemctl daemon-reload
step app systemctl start app.service
step stranger systemctl start stranger.service
step restart systemctl restart wardend.service
step journal journalctl -u wardend.service -o cat --no-pager
step purge warden install --uninstall --purge
