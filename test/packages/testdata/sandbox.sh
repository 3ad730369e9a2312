# Boots systemd in a copy of this machine's file system that is thrown away
# (what is written goes to memory) and runs a script there as root, as a unit
# of its own. Ends with the script's exit code. Called in namespaces of its own
# for mounts, processes, network, cgroups, IPC and names.
# Arguments: the folder of the packages, bound read-only at /packages, and a
# folder with the script `run`, which gets what the script prints as `out`.
set -eu
packages=$1 exchange=$2
ip link set lo up
top=$(mktemp -d)
mount -t tmpfs -o mode=0755 sandbox "$top"
root=$top/root
mkdir "$top/up" "$top/work" "$root"
mount -t overlay sandbox -o "lowerdir=/,upperdir=$top/up,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
mount -t tmpfs run "$root/run"
mount --rbind /dev "$root/dev"
mkdir -p "$root/packages" "$root/exchange"
mount --bind -o ro "$packages" "$root/packages"
mount --bind "$exchange" "$root/exchange"
cat >"$root/etc/systemd/system/sandbox.service" <<'UNIT'
[Unit]
Requires=basic.target
After=basic.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
Environment=DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
ExecStart=/bin/bash -euo pipefail /exchange/run
StandardOutput=append:/exchange/out
StandardError=append:/exchange/out
TimeoutStartSec=3min
UNIT
cat >"$root/etc/systemd/system/sandbox.target" <<'UNIT'
[Unit]
Requires=sandbox.service
AllowIsolate=yes
UNIT
exec chroot "$root" env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --unit=sandbox.target --log-target=null
