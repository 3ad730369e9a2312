# Runs the script on standard input as root in a copy of this machine's file
# system that is thrown away: changes go to memory, and no service manager is
# seen. Called in mount, network and process namespaces of its own.
# Arguments are bound read-only at /packages.
set -eu
ip link set lo up
top=$(mktemp -d)
mount -t tmpfs -o mode=0755 sandbox "$top"
mkdir "$top/up" "$top/work" "$top/root"
mount -t overlay sandbox -o "lowerdir=/,upperdir=$top/up,workdir=$top/work" "$top/root"
mount -t proc proc "$top/root/proc"
mount --rbind /dev "$top/root/dev"
mount -t tmpfs run "$top/root/run"
mkdir -p "$top/root/packages"
mount --bind -o ro "$1" "$top/root/packages"
exec chroot "$top/root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -euo pipefail -s
