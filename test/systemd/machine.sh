#!/bin/bash
# Becomes a small machine: run as pid 1 of new pid, mount, cgroup, uts, ipc and net namespaces, it lays a throw-away
# overlay over this machine's root, hides what this machine's own units would start, and becomes systemd.
#   WORK    an empty folder; WORK/out is /srv/out in there
#   LAYERS  folders to lay over the root, with colons between
#   STEPS   the program that runs in there as a unit; when it ends, the machine does
#   SECONDS_LEFT  how long it may take
set -euo pipefail
root=$WORK/mnt/root
mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=0755 tmpfs "$WORK/mnt"
mkdir "$WORK/mnt/upper" "$WORK/mnt/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/mnt/upper,workdir=$WORK/mnt/work" "$root"
# A machine on which no wardend has run yet, whatever runs on this one.
rm -rf "$root/etc/warden" "$root/var/lib/warden"
# Copied, not layered: the kernel takes no layer that lies inside another one.
IFS=: read -ra layers <<< "$LAYERS"
for layer in "${layers[@]}"; do cp -a "$layer/." "$root/"; done

# The kernel's file systems; its settings can be read in there, not changed.
mkdir -p "$root"/{proc,sys,dev,run,tmp,srv/out,srv/changes}
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"

# Devices: those that everybody has.
mount -t tmpfs -o mode=0755,nosuid tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%%:*}" "$root/dev/${n##*:}"; done

# Of this machine's units none is started but the journal and what makes the folders of /run.
mount -t tmpfs -o mode=0755 tmpfs "$root/etc/systemd/system"
for wants in "$root"/usr/lib/systemd/system/*.target.wants; do mount -t tmpfs -o mode=0755 tmpfs "$wants"; done
for unit in systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket; do
  ln -s "../$unit" "$root/usr/lib/systemd/system/sysinit.target.wants/$unit"
done
printf 'warden-test\n' > "$root/etc/hostname"
rm -f "$root/etc/machine-id" "$root/etc/fstab"
printf 'f1e2d3c4b5a697887766554433221100\n' > "$root/etc/machine-id"
: > "$root/etc/fstab"
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n' > "$root/etc/systemd/journald.conf.d/test.conf"

# What was changed in there, and nothing of what this machine does meanwhile.
mount --bind "$WORK/mnt/upper" "$root/srv/changes"
mount -o remount,bind,ro "$root/srv/changes"
install -m 0755 "$STEPS" "$root/srv/steps"
mount --bind "$WORK/out" "$root/srv/out"
cat > "$root/etc/systemd/system/steps.service" <<UNIT
[Unit]
Requires=basic.target
After=basic.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/srv/steps
StandardOutput=append:/srv/out/steps.log
StandardError=append:/srv/out/steps.log
TimeoutStartSec=$SECONDS_LEFT
UNIT
ip link set lo up

cd "$root"
mkdir -p .former
pivot_root . .former
cd /
umount -l /.former
rmdir /.former
# systemd in a container leaves it to whoever made the container, and credentials are mounted where units see them.
mount --make-rshared /
exec env -i container=warden-test PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  /usr/lib/systemd/systemd --system --unit=steps.service --log-target=journal --show-status=no </dev/null >>/srv/out/systemd.log 2>&1
